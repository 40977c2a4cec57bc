"""The real outbox with the seam that a delivery sees, served by the test's own hand."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, NamedTuple

from agent.store.outbox import Outbox
from agent.store.reports import Committed, Leased
from agent.store.settings import StoreSettings
from tests.simulators.clocks import ManualClock

if TYPE_CHECKING:
    from agent.blocks import Position, Stream


_MEMORY = Path("/dev/shm")
"""Thousands of small files; what a disk does is tested elsewhere."""


class Asked(NamedTuple):
    """A lease that was asked for."""

    stream: Stream
    after: Position | None
    max_bytes: int
    token: int


class OutboxStore:
    """An outbox in a folder of its own. ``answer`` serves the oldest lease that was asked for.

    Attributes:
        wanted: leases that were asked for and not answered yet.
        committed: how many records each epoch of each stream was given.
        acked: how far each was acknowledged, by the delivery's word.
    """

    def __init__(self, segment_bytes: int = 1) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="outbox-", dir=_MEMORY if _MEMORY.is_dir() else None))
        self.wanted: list[Asked] = []
        self.committed: dict[tuple[Stream, str], int] = {}
        self.acked: dict[tuple[Stream, str], int] = {}
        self._settings = StoreSettings(
            block_results=1 << 20, block_bytes=1 << 30, segment_bytes=segment_bytes
        )
        self.outbox = self._opened()

    def begin(self, *, away: bool = False) -> None:
        """Start again: a new epoch. Nobody waits for what was asked for. The disk may be ``away`` for now."""
        self.wanted.clear()
        self.outbox.close()
        if away:
            (self._folder / "segments").rename(self._folder / "away")
            (self._folder / "segments").touch()
        self.outbox = self._opened()

    @property
    def away(self) -> bool:
        """Whether the disk does not serve."""
        return not self.outbox.attached

    def bring_back(self) -> None:
        """The disk serves again, with all that was on it."""
        (self._folder / "segments").unlink()
        (self._folder / "away").rename(self._folder / "segments")
        self.outbox.attach()

    def _opened(self) -> Outbox:
        return Outbox(self._folder, clock=ManualClock(), settings=self._settings)

    def close(self) -> None:
        self.outbox.close()
        shutil.rmtree(self._folder)

    @property
    def epoch(self) -> str:
        return self.outbox.epoch

    def commit(self, count: int = 10, size: int = 0, stream: Stream = "result") -> Committed:
        """Add a block of ``count`` records to the live epoch, of at least ``size`` bytes."""
        place = (stream, self.epoch)
        last = self.committed.setdefault(place, 0)
        self.acked.setdefault(place, 0)
        records = [{"n": last + 1 + at} for at in range(count)]
        noise = Random(last).randbytes(size).hex()  # two digits a byte, and hard to compress
        self.outbox.put([{**records[0], "noise": noise}, *records[1:]], {}, stream)
        self.outbox.flush()
        self.committed[place] += count
        return Committed(stream, self.epoch, last + count, count)

    def everything(self) -> set[tuple[Stream, str, int]]:
        """Every record ever committed."""
        return {(*place, seq) for place, last in self.committed.items() for seq in range(1, last + 1)}

    def evict(self) -> bool:
        """Give up the oldest file of the least important stream."""
        return self.outbox.caps.evict("the test wants it")

    def lease(self, stream: Stream, after: Position | None, max_bytes: int, token: int) -> None:
        self.wanted.append(Asked(stream, after, max_bytes, token))

    def ack(self, stream: Stream, epoch: str, upto: int) -> None:
        self.outbox.ack(epoch, upto, stream)
        if self.away:
            return
        self.outbox.settle()
        place = (stream, epoch)
        if place in self.acked:
            self.acked[place] = max(self.acked[place], min(upto, self.committed[place]))

    def lose(self, stream: Stream, epoch: str, first: int, last: int) -> None:
        self.outbox.lose(epoch, first, last, stream)

    def has_epoch(self, stream: Stream, epoch: str) -> bool:
        """Whether an epoch of a stream is not over and delivered."""
        return epoch in self.outbox.queues[stream].epochs

    def holds(self, epoch: str) -> bool:
        return any(self.has_epoch(stream, epoch) for stream in self.outbox.queues)

    def answer(self) -> Leased:
        """Serve the oldest request."""
        asked = self.wanted.pop(0)
        lease = self.outbox.lease(asked.after, asked.max_bytes, asked.stream)
        return Leased(asked.token, asked.stream, lease)

    @property
    def drained(self) -> bool:
        """Whether all that was committed is acknowledged."""
        return self.acked == self.committed
