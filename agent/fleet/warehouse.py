"""The collector's store: every result exactly once, however often and in whatever order it arrives.

A result is named by (device, stream, epoch, seq); what is there already is ignored. The watermark that
goes back to the device is worked out in the transaction that stores, so it never promises too much.
Blocks are stored as they came, which is what a device waits for; ``unpack`` makes rows of them later.
"""

from __future__ import annotations

import sqlite3
import time
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Self

from agent.clock import SystemClock
from agent.errors import MessageInvalid, StoreBusy
from agent.fleet import gaps, ranges, tables, unpacking
from agent.store.database import open_database, refusals, transaction

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from agent.blocks import Lease
    from agent.clock import Clock
    from agent.fleet.outlet import Outlet
    from agent.fleet.ranges import Place, Watermark
    from agent.fleet.sql import Sql
    from agent.fleet.unpacking import Unpacked

_PATIENCE_S = 5.0
_PAUSE_S = 0.05
_CACHE_KIB = 16 << 10
_HIGHEST = 2**53 - 1
"""The highest sequence number that JSON carries everywhere."""
_RECENT_EPOCHS = 8
_SLICE = 4096
"""About so many records are unpacked in one transaction: some tenths of a second on a small machine."""

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


@dataclass(frozen=True, slots=True)
class Incoming:
    """A batch as it came from a device.

    Attributes:
        device: who sent it.
        lease: what it carries.
    """

    device: str
    lease: Lease

    @property
    def place(self) -> Place:
        """What its sequence numbers count in."""
        return self.device, self.lease.stream, self.lease.epoch


@dataclass(frozen=True, slots=True)
class State:
    """What a device says of itself; nobody signs it.

    Attributes:
        online: whether it is connected to the broker.
        version: its agent's version.
    """

    online: bool
    version: str


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of one batch.

    Attributes:
        batch: the batch.
        new: records that were stored now.
        duplicate: records that were there already.
        watermark: what of the epoch is stored, this batch included; None when it was refused.
        refused: why nothing of it was stored; None when it was.
    """

    batch: Incoming
    new: int = 0
    duplicate: int = 0
    watermark: Watermark | None = None
    refused: MessageInvalid | None = None


class Storage(ABC):
    """What both databases have in common. For one thread."""

    _db: Sql
    _clock: Clock
    _claim: ClassVar[str] = ""

    @abstractmethod
    def _transaction(self) -> AbstractContextManager[None]:
        """One durable write transaction; raises StoreBusy when the database refuses for now."""

    @abstractmethod
    def _reading(self) -> AbstractContextManager[None]:
        """A look; raises StoreBusy when the database refuses for now."""

    @abstractmethod
    def close(self) -> None:
        """Close the database. Idempotent."""

    def store(self, batches: Sequence[Incoming]) -> list[Stored]:
        """Store batches in one durable transaction; say of each, in order, what became of it.

        A batch with impossible numbers is refused whole, and does not touch the others.

        Raises:
            StoreBusy: the disk or the database refuses for now; nothing was stored.
            FolderUnusable: the file is damaged.
        """
        refused = [_check_numbers(batch) for batch in batches]
        with self._transaction():
            self._see({batch.device for batch, why in zip(batches, refused, strict=True) if why is None})
            counts = [
                self._insert(batch) if refusal is None else 0
                for batch, refusal in zip(batches, refused, strict=True)
            ]
            # Only now: with two batches of one epoch the later one completes what both may promise.
            return [
                Stored(batch, refused=refusal)
                if refusal is not None
                else Stored(
                    batch, new, _length(batch) - new, watermark=ranges.watermark(self._db, batch.place)
                )
                for batch, refusal, new in zip(batches, refused, counts, strict=True)
            ]

    def unpack(self, most: int = _SLICE, outlet: Outlet | None = None) -> Unpacked:
        """Make rows of the oldest blocks, of about ``most`` records, in one durable transaction.

        Args:
            most: records.
            outlet: is given them, too, and has written them before the transaction is committed.

        Raises:
            StoreBusy: the disk or the database refuses for now; nothing was unpacked.
            FolderUnusable: the file is damaged.
            AgentError: the outlet's reader left; nothing was unpacked.
        """
        began, now_ns = self._clock.monotonic(), self._clock.wall_ns()
        if outlet is not None:
            outlet.begin()
        with self._transaction():
            done = unpacking.unpack_some(self._db, most, now_ns, claim=self._claim, outlet=outlet)
            if outlet is not None:
                outlet.flush()
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

    def _see(self, devices: set[str]) -> None:
        """Date the devices. Each one's row stays locked from here on, always in this order."""
        now = self._clock.wall_ns()
        self._db.executemany(_SEEN, [(device, now, now) for device in sorted(devices)])

    def _insert(self, batch: Incoming) -> int:
        """Insert a batch's blocks; count the new records."""
        now = self._clock.wall_ns()
        new = 0
        for block in batch.lease.blocks:
            known = ranges.overlap(self._db, batch.place, block.first, block.last)
            if known == block.count:
                continue
            new += block.count - known
            unpacking.keep(self._db, batch.place, block)
            ranges.add_range(self._db, batch.place, block.first, block.last)
            gaps.fill(self._db, batch.place, block.first, block.last)
        for loss in batch.lease.lost:
            gaps.declare(self._db, batch.place, loss, now)
        gaps.below(self._db, batch.place, batch.lease.low, now)
        ranges.touch(self._db, batch.place, batch.lease.low, live=batch.lease.live)
        return new


class Warehouse(Storage):
    """An open SQLite file.

    Args:
        path: the file; made when it is not there.
        clock: dates when a device was seen.

    Raises:
        StoreBusy: it cannot be opened for now.
        FolderUnusable: the file is damaged, of another version, or not a warehouse.
    """

    _db: sqlite3.Connection

    def __init__(self, path: Path, *, clock: Clock | None = None) -> None:
        self._path = path
        self._clock = clock or SystemClock()
        self._db = _opened(path)
        self._db.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with refusals("write", self._path), transaction(self._db):
            yield

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with refusals("read", self._path):
            yield


def _opened(path: Path) -> sqlite3.Connection:
    """Open a file, and wait for another collector that makes it or brings it up at the same time."""
    give_up = time.monotonic() + _PATIENCE_S
    while True:
        try:
            tables.upgrade(path)
            return open_database(path, tables.FORMAT, patience_s=_PATIENCE_S)
        except StoreBusy as error:
            # Some locks are taken at once or not at all, whatever patience SQLite has been given.
            code = getattr(error.__cause__, "sqlite_errorcode", 0)
            if code & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > give_up:  # SQLITE_BUSY_RECOVERY, too
                raise
        time.sleep(_PAUSE_S)


def _length(batch: Incoming) -> int:
    return sum(block.count for block in batch.lease.blocks)


def _check_numbers(batch: Incoming) -> MessageInvalid | None:
    lease = batch.lease
    numbers = [lease.low, *(n for block in lease.blocks for n in (block.first, block.count, block.last))]
    if all(1 <= number <= _HIGHEST for number in numbers):
        return None
    return MessageInvalid("store batch", batch.device, "its sequence numbers are impossible")
