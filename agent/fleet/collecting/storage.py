"""The collector's store: every result exactly once, however often and in whatever order it arrives.

A result is named by (device, stream, epoch, seq); what is there already is ignored. The watermark that
goes back to the device is worked out in the transaction that stores, so it never promises too much.
What people may be waiting for becomes rows in that transaction, too. All else is stored as it came, which is
what a device waits for, and ``unpack`` makes rows of it later, when an outlet has written it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, ClassVar, Self

from agent.fleet.collecting import gaps, ranges, unpacking
from agent.fleet.collecting.incoming import Stored

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager

    from agent.clock import Clock
    from agent.fleet.collecting.incoming import Incoming
    from agent.fleet.collecting.outlet import Outlet
    from agent.fleet.collecting.ranges import Watermark
    from agent.fleet.collecting.sql import Sql
    from agent.fleet.collecting.unpacking import Unpacked
    from agent.fleet.states import State

_RECENT_EPOCHS = 8
_SLICE = 4096
"""About so many records are unpacked in one transaction: some tenths of a second on a small machine."""
_MOST_S = 0.5
"""So long rows are made in one transaction, whatever is in the blocks; and then of one block more."""
_RECOUNT_S = 1.0
_MOST_URGENT = 4096
"""Blocks; the oldest above that wait with all others."""
_FRESH_BYTES = 128 << 10
"""So much becomes rows in the transaction that stores it, some 2000 results; the rest has to wait."""

_SEEN = """
    INSERT INTO devices (device, first_seen_ns, last_seen_ns) VALUES (?, ?, ?)
    ON CONFLICT (device) DO UPDATE SET last_seen_ns = excluded.last_seen_ns
"""
_TOLD = """
    INSERT INTO devices (device, first_seen_ns, last_seen_ns, online, version, state_ns)
    VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (device) DO UPDATE
    SET online = excluded.online, version = excluded.version, state_ns = excluded.state_ns
"""


class Storage(ABC):
    """What both databases have in common. For one thread."""

    _db: Sql
    _clock: Clock
    _claim: ClassVar[str] = ""
    """Behind a query: the row is ours until the transaction ends, or there is none."""
    _reserve: ClassVar[str] = "1"
    """Of a row of ``raw``: whether it is ours, beyond the end of the transaction."""
    _let_go: ClassVar[str] = "SELECT 1"
    """Lets others have what was reserved."""
    _behind = 0
    _counted_at = float("-inf")

    def __init__(self) -> None:
        self._urgent: deque[int] = deque(maxlen=_MOST_URGENT)

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[None]:
        """One durable write transaction; raises StoreBusy when the database refuses for now."""

    @abstractmethod
    def _reading(self) -> AbstractContextManager[None]:
        """A look; raises StoreBusy when the database refuses for now."""

    @abstractmethod
    def close(self) -> None:
        """Close the database. Idempotent."""

    def store(self, batches: Sequence[Incoming], *, at_once: bool = True) -> list[Stored]:
        """Store batches in one durable transaction; say of each, in order, what became of it.

        Args:
            batches: in the order in which they came; their numbers were checked when they were read.
            at_once: whether what people may be waiting for becomes rows in this transaction. Where lines
                are to be written first, it does not: then it is the next that ``unpack`` takes.

        Raises:
            StoreBusy: the disk or the database refuses for now; nothing was stored.
            FolderUnusable: the file is damaged.
        """
        with self._transaction():
            self._see({batch.device for batch in batches})
            now_ns, late = self._clock.wall_ns(), self._deadline()
            intake = unpacking.Intake(self._db, now_ns, _FRESH_BYTES, late, at_once=at_once)
            found = [self._insert(batch, intake) for batch in batches]
            # Only now: with two batches of one epoch the later one completes what both may promise.
            marks = {place: ranges.settle(self._db, place) for place in {one.place for one in batches}}
            answers = [replace(one, watermark=marks[one.batch.place]) for one in found]
        self._behind += sum(one.new - one.rows for one in found)
        self._urgent.extend(intake.urgent)
        return answers

    @property
    def urgent(self) -> bool:
        """Whether people may be waiting for what ``unpack`` takes next."""
        return bool(self._urgent)

    def unpack(self, most: int = _SLICE, outlet: Outlet | None = None) -> Unpacked:
        """Make rows of the oldest blocks, of about ``most`` records, in one durable transaction.

        What is urgent comes on top, and first. The outlet has written the records before that transaction
        begins: its reader may take its time, and nothing is locked meanwhile.

        Args:
            most: records.
            outlet: writes the records.

        Raises:
            StoreBusy: the disk, the database or the outlet refuses for now; nothing was unpacked.
            FolderUnusable: the file is damaged.
            AgentError: the outlet's reader left; nothing was unpacked.
        """
        began, now_ns = self._clock.monotonic(), self._clock.wall_ns()
        urgent = list(islice(self._urgent, unpacking.MOST_BLOCKS))
        with self._reading():
            numbers = list(dict.fromkeys((*urgent, *unpacking.oldest(self._db, most))))
            if outlet is not None:
                self._db.execute(self._let_go)
                blocks = list(unpacking.reserved(self._db, numbers, self._reserve))
                numbers = [number for number, _, _ in blocks]
        if outlet is not None:
            outlet.write((place, block) for _, place, block in blocks)
        with self._transaction():
            done = unpacking.unpack_blocks(self._db, numbers, now_ns, self._claim, self._deadline())
            done.behind = self._left(done.records, began)
        self._behind = done.behind
        for _ in urgent:
            self._urgent.popleft()
        done.seconds = self._clock.monotonic() - began
        return done

    def told(self, states: Mapping[str, State]) -> None:
        """Note what devices say of themselves, by name.

        Raises:
            StoreBusy: the disk or the database refuses for now; nothing was noted.
        """
        now = self._clock.wall_ns()
        rows = [(name, now, now, one.online, one.version, now) for name, one in sorted(states.items())]
        with self._transaction():
            self._db.executemany(_TOLD, rows)

    def watermarks(self, device: str) -> dict[str, dict[str, Watermark]]:
        """Give, by stream and epoch, what is stored of the 8 epochs that the device sent last.

        Raises:
            StoreBusy: it cannot be read for now.
        """
        with self._reading():
            return ranges.recent(self._db, device, _RECENT_EPOCHS)

    def devices(self, after: str = "", most: int = 1 << 30) -> list[str]:
        """The first ``most`` devices after ``after``, by name.

        Raises:
            StoreBusy: it cannot be read for now.
        """
        query = "SELECT device FROM devices WHERE device > ? ORDER BY device LIMIT ?"
        with self._reading():
            return [row[0] for row in self._db.execute(query, (after, most))]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _left(self, unpacked: int, now: float) -> int:
        """How many records still wait: counted now and then, since other collectors work on them, too."""
        left = self._behind - unpacked
        if left > 0 and now < self._counted_at + _RECOUNT_S:
            return left
        self._counted_at = now
        return unpacking.waiting(self._db)

    def _deadline(self) -> Callable[[], bool]:
        """Say, from now on, whether rows were made for too long: devices wait meanwhile."""
        by = self._clock.monotonic() + _MOST_S
        return lambda: self._clock.monotonic() > by

    def _see(self, devices: set[str]) -> None:
        """Date the devices. Each one's row stays locked from here on, always in this order."""
        now = self._clock.wall_ns()
        self._db.executemany(_SEEN, [(device, now, now) for device in sorted(devices)])

    def _insert(self, batch: Incoming, intake: unpacking.Intake) -> Stored:
        """Insert a batch's blocks, and what it tells of losses."""
        now, new, rows = self._clock.wall_ns(), 0, 0
        for block in batch.lease.blocks:
            known = ranges.overlap(self._db, batch.place, block.first, block.last)
            if known == block.count:
                continue
            new += block.count - known
            if intake.take(batch.place, block, fresh=batch.fresh):
                rows += block.count - known
            ranges.add_range(self._db, batch.place, block.first, block.last)
            gaps.fill(self._db, batch.place, block.first, block.last)
        gaps.declare(self._db, batch.place, batch.lease.lost, now)
        gaps.below(self._db, batch.place, batch.lease.low, now)
        ranges.touch(self._db, batch.place, batch.lease.low, live=batch.lease.live)
        bad, intake.bad = tuple(intake.bad), []
        return Stored(batch, new, batch.count - new, rows=rows, bad=bad)
