"""A device that updates itself from a shelf, and keeps what a supervisor keeps for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from agent.updater import session
from agent.updater.messages import Ask, Brought, Done, Failed, Fetched, Progress, Refreshed, UpdaterSpec
from tests.simulators.lying_shelf import LyingShelf

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from agent.updater.messages import FromUpdater

M = TypeVar("M", Refreshed, Brought, Progress, Fetched, Failed, Done)


class Updated:
    """The device.

    Attributes:
        said: what the last run said.
        floors: what is kept of all runs.
        shelf: whom the last run asked.
    """

    def __init__(self, folder: Path, root: bytes, files: Mapping[str, bytes]) -> None:
        self.folder = folder
        self.root = root
        self.floors: dict[str, int] = {}
        self.said: list[FromUpdater] = []
        self.shelf = LyingShelf(files)

    def run(self, *asks: str, **more: Any) -> None:
        """Let an updater do its work.

        Args:
            asks: ``name@version`` of each bundle.
            more: fields of the spec.
        """
        self.said = []
        wanted = tuple(Ask(name=one.split("@")[0], version=one.split("@")[1]) for one in asks)
        try:
            session.run(
                spec_of(self.folder, self.root, wanted, self.floors, **more), self.shelf, self.said.append
            )
        finally:
            for refreshed in self.of(Refreshed):
                for name, floor in refreshed.floors.items():
                    self.floors[name] = max(floor, self.floors.get(name, 0))

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

    def bundles(self) -> dict[str, dict[str, bytes]]:
        """Read all bundles: by digest, the files by their paths."""
        return {
            folder.name: {
                path.relative_to(folder).as_posix(): path.read_bytes()
                for path in folder.rglob("*")
                if path.is_file()
            }
            for folder in (self.folder / "bundles").iterdir()
        }


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
