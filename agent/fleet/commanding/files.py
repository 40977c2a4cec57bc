"""The files beside the outcomes of one command: put together, device by device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.fleet.commanding.assembly import Assembly

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from agent.documents.outcome import Outcome
    from agent.fleet.keys import DeviceKeys

_EARLY = 32
"""Devices whose parts are kept before their outcome has come; the others send theirs again."""


class Files:
    """Takes in parts of the files that proved outcomes tell of: a few of those that come before, too.

    Args:
        folder: where files are to lie; None takes in nothing.
        fleet: the fleet.
        identity: the command's id.
        devices: whose files they are; others' are let go by.
        keys: the devices'.
    """

    def __init__(
        self,
        folder: Path | None,
        fleet: str,
        identity: str,
        devices: Iterable[str],
        keys: DeviceKeys,
    ) -> None:
        self._folder = folder
        self._fleet = fleet
        self.identity = identity
        self._devices = frozenset(devices)
        self._keys = keys
        self._early: dict[str, Assembly] = {}
        self._coming: dict[str, Assembly] = {}

    @property
    def pending(self) -> list[str]:
        """The devices of whose files something is missing, by name."""
        return sorted(name for name, one in self._coming.items() if not one.complete)

    @property
    def over(self) -> bool:
        """Whether nothing is missing."""
        return all(one.complete for one in self._coming.values())

    def expect(self, device: str, outcome: Outcome) -> None:
        """Note which files a device sends.

        Raises:
            MessageInvalid: they are none that a device may send.
        """
        if self._folder and outcome.files and device not in self._coming:
            assembly = self._early.pop(device, None) or self._new(self._folder, device)
            assembly.expect(outcome.files)
            self._coming[device] = assembly

    def take(self, device: str, payload: bytes) -> None:
        """Take in a part.

        Raises:
            AgentError: the folder cannot be written to.
        """
        assembly = self._coming.get(device) or self._early.get(device)
        if assembly is None and self._folder and device in self._devices and len(self._early) < _EARLY:
            assembly = self._early[device] = self._new(self._folder, device)
        if assembly:
            assembly.take(payload)

    def whole(self, device: str) -> Sequence[Path]:
        """Give the files of a device that are there, by name."""
        found = self._coming.get(device)
        return sorted(found.done.values()) if found else ()

    def lacking(self, device: str) -> Sequence[str]:
        """Give the names of those that are not."""
        found = self._coming.get(device)
        return sorted({*found.missing(), *found.gone}) if found else ()

    def _new(self, folder: Path, device: str) -> Assembly:
        return Assembly(
            folder,
            fleet=self._fleet,
            device=device,
            command=self.identity,
            verifier=self._keys.verifier(device),
        )

    def refused(self, device: str) -> dict[str, int]:
        """Say how many parts of a device were of no use, by reason."""
        found = self._coming.get(device)
        return dict(found.refused) if found else {}

    def close(self) -> None:
        """Delete what is not whole."""
        for assembly in self._coming.values():
            assembly.close()
