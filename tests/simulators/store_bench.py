"""A store's loop on a real folder, turned by hand."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from agent.store.inbox import Put, Work
from agent.store.loop import StoreLoop
from agent.store.outbox import Outbox
from agent.store.settings import StoreSettings
from tests.simulators.clocks import ManualClock

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Bench:
    """A loop on a real folder, turned by hand."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock()
        self.said: list[Any] = []
        # Every commit gets a segment of its own.
        self.outbox = Outbox(
            folder, clock=self.clock, settings=StoreSettings(block_results=4, segment_bytes=1)
        )
        self.loop = StoreLoop(self.outbox, self.said.append)

    @property
    def epoch(self) -> str:
        return self.outbox.epoch

    def turn(self, **work: Any) -> list[Any]:
        """Turn once; give what was said."""
        self.said.clear()
        self.loop.turn(Work(**work), self.clock.now)
        return list(self.said)

    def store(self, count: int) -> None:
        """Put and commit full blocks of four."""
        for _ in range(count):
            self.turn(puts=[Put([{}] * 4, {})])

    @contextmanager
    def no_new_segments(self) -> Iterator[None]:
        away = self.folder / "away"
        (self.folder / "segments").rename(away)
        yield
        away.rename(self.folder / "segments")

    @contextmanager
    def locked_state(self) -> Iterator[None]:
        with closing(sqlite3.connect(self.folder / "state.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            yield
