"""A device that updates itself from a shelf that may lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from agent.updater import session
from agent.updater.messages import (
    Ask,
    Brought,
    Done,
    Failed,
    Fetched,
    Progress,
    Refreshed,
    UpdaterSpec,
    Withdrawn,
)
from tests.simulators.lying_shelf import LyingShelf
from tests.simulators.updating import Device

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from agent.updater.messages import FromUpdater
    from tests.simulators.tuf_fleet import TufFleet

M = TypeVar("M", Refreshed, Brought, Withdrawn, Progress, Fetched, Failed, Done)


class Updated(Device):
    """The device.

    Args:
        folder: its part of the data folder.
        root: the metadata that trust starts from.
        files: what is published.

    Attributes:
        said: what the last run said.
        shelf: whom the last run asked.
    """

    def __init__(self, folder: Path, root: bytes, files: Mapping[str, bytes]) -> None:
        super().__init__(folder, root)
        self.said: list[FromUpdater] = []
        self.shelf = LyingShelf(files)

    def see(self, fleet: TufFleet) -> None:
        """Have what a fleet has published by now on the shelf."""
        self.shelf.files = fleet.files()

    def run(self, *asks: str, **more: Any) -> None:
        """Let an updater do its work.

        Args:
            asks: ``name@version`` of each bundle.
            more: fields of the spec.
        """
        self.said = []
        try:
            session.run(self.spec(*asks).model_copy(update=more), self.shelf, self.said.append)
        finally:
            self.remember(self.said)

    def of(self, kind: type[M]) -> list[M]:
        """Give what was said of this kind."""
        return [one for one in self.said if isinstance(one, kind)]

    @property
    def failure(self) -> Failed:
        """The one failure that was told."""
        [one] = self.of(Failed)
        return one

    @property
    def fetched(self) -> Fetched:
        """The one bundle that came; nothing failed."""
        assert not self.of(Failed), self.of(Failed)
        [one] = self.of(Fetched)
        return one


def spec_of(
    folder: Path,
    root: bytes,
    asks: tuple[Ask, ...] = (),
    floors: Mapping[str, int] | None = None,
    **more: Any,
) -> UpdaterSpec:
    """Make a spec; ``more`` holds further fields."""
    fields = {"fleet": "demo", "device": "gate", "broker": None, "folder": str(folder), "root": root.decode()}
    return UpdaterSpec(**{**fields, "floors": dict(floors or {}), "ask": asks, **more})
