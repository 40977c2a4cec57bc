"""The files beside the outcomes of one command: put together, device by device."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.fleet.parts import Assembly

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from agent.documents.outcome import Outcome
    from agent.signing import Verifier


class Files:
    """Takes in parts of the files that proved outcomes have told of; others are let go by.

    Args:
        folder: where files are to lie; None takes in nothing.
        fleet: the fleet.
        identity: the command's id.
        verifier: gives a device's key; None where nothing is signed.
    """

    def __init__(
        self, folder: Path | None, fleet: str, identity: str, verifier: Callable[[str], Verifier | None]
    ) -> None:
        self._folder = folder
        self._fleet = fleet
        self.identity = identity
        self._verifier = verifier
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
            assembly = Assembly(
                self._folder,
                fleet=self._fleet,
                device=device,
                command=self.identity,
                verifier=self._verifier(device),
            )
            assembly.expect(outcome.files)
            self._coming[device] = assembly

    def take(self, device: str, payload: bytes) -> None:
        """Take in a part.

        Raises:
            AgentError: the folder cannot be written to.
        """
        if assembly := self._coming.get(device):
            assembly.take(payload)

    def whole(self, device: str) -> Sequence[Path]:
        """Give the files of a device that are there, by name."""
        found = self._coming.get(device)
        return sorted(found.done.values()) if found else ()

    def lacking(self, device: str) -> Sequence[str]:
        """Give the names of those that are not."""
        found = self._coming.get(device)
        return sorted({*found.missing(), *found.gone}) if found else ()

    def refused(self, device: str) -> dict[str, int]:
        """Say how many parts of a device were of no use, by reason."""
        found = self._coming.get(device)
        return dict(found.refused) if found else {}

    def close(self) -> None:
        """Delete what is not whole."""
        for assembly in self._coming.values():
            assembly.close()
