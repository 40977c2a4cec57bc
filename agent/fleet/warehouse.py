"""The collector's store: every result exactly once, however often and in whatever order it arrives.

A result is named by (device, stream, epoch, seq); what is there already is ignored. The watermark that
goes back to the device is worked out in the transaction that stores, so it never promises too much.
Blocks are stored as they came, which is what a device waits for; ``unpack`` makes rows of them later.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from agent.clock import SystemClock
from agent.errors import MessageInvalid
from agent.fleet import gaps, history, ranges, unpacking
from agent.store.database import Format, open_database, refusals, transaction, version_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from agent.blocks import Lease
    from agent.clock import Clock
    from agent.fleet.ranges import Place, Watermark
    from agent.fleet.unpacking import Unpacked

_PATIENCE_S = 5.0
_CACHE_KIB = 16 << 10
_HIGHEST = 2**53 - 1
"""The highest sequence number that JSON carries everywhere."""
_RECENT_EPOCHS = 8
_SLICE = 4096
"""About so many records are unpacked in one transaction: some tenths of a second on a small machine."""

FORMAT = Format(
    kind=int.from_bytes(b"EAwh"),
    version=3,
    schema=(
        """
        CREATE TABLE devices (
            device TEXT PRIMARY KEY, first_seen_ns INTEGER NOT NULL, last_seen_ns INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE results (
            device TEXT, stream TEXT, epoch TEXT, seq INTEGER,
            pipeline TEXT, frame INTEGER, wall_ns INTEGER, kind TEXT, body TEXT NOT NULL,
            PRIMARY KEY (device, stream, epoch, seq)
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE ledgers (
            device TEXT, stream TEXT, epoch TEXT, pipeline TEXT, as_of_seq INTEGER NOT NULL,
            counts TEXT NOT NULL, PRIMARY KEY (device, stream, epoch, pipeline)
        ) STRICT, WITHOUT ROWID
        """,
        *ranges.SCHEMA,
        *gaps.SCHEMA,
        *history.SCHEMA,
        *unpacking.SCHEMA,
    ),
)

_SEEN = """
    INSERT INTO devices VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET last_seen_ns = excluded.last_seen_ns
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


class Warehouse:
    """The open database. For one thread.

    Args:
        path: the SQLite file; made when it is not there.
        clock: dates when a device was seen.

    Raises:
        StoreBusy: it cannot be opened for now.
        FolderUnusable: the file is damaged, of another version, or not a warehouse.
    """

    def __init__(self, path: Path, *, clock: Clock | None = None) -> None:
        self._path = path
        self._clock = clock or SystemClock()
        _upgrade(path)
        self._db: sqlite3.Connection = open_database(path, FORMAT, patience_s=_PATIENCE_S)
        self._db.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")

    def store(self, batches: Sequence[Incoming]) -> list[Stored]:
        """Store batches in one durable transaction; say of each, in order, what became of it.

        A batch with impossible numbers is refused whole, and does not touch the others.

        Raises:
            StoreBusy: the disk refuses for now; nothing was stored.
            FolderUnusable: the file is damaged.
        """
        refused = [_check_numbers(batch) for batch in batches]
        with refusals("write", self._path), transaction(self._db):
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

    def unpack(self, most: int = _SLICE) -> Unpacked:
        """Make rows of the oldest blocks, of about ``most`` records, in one durable transaction.

        Raises:
            StoreBusy: the disk refuses for now; nothing was unpacked.
            FolderUnusable: the file is damaged.
        """
        began = self._clock.monotonic()
        with refusals("write", self._path), transaction(self._db):
            done = unpacking.unpack_some(self._db, most, self._clock.wall_ns())
        done.seconds = self._clock.monotonic() - began
        return done

    def watermarks(self, device: str) -> dict[str, dict[str, Watermark]]:
        """Give, by stream and epoch, what is stored of the 8 epochs that the device sent last.

        Raises:
            StoreBusy: the file cannot be read for now.
        """
        with refusals("read", self._path):
            return ranges.recent(self._db, device, _RECENT_EPOCHS)

    def devices(self) -> list[str]:
        """Every device that has sent something, by name.

        Raises:
            StoreBusy: the file cannot be read for now.
        """
        with refusals("read", self._path):
            return [row[0] for row in self._db.execute("SELECT device FROM devices ORDER BY device")]

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _insert(self, batch: Incoming) -> int:
        """Insert a batch's blocks; count the new records."""
        now = self._clock.wall_ns()
        self._db.execute(_SEEN, (batch.device, now, now))
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


def _upgrade(path: Path) -> None:
    """Bring an older database up: release 1 had no gaps, and only the newest ledgers; 2 unpacked at once."""
    found = version_of(path)
    if found not in (1, 2):
        return
    earlier = (*gaps.SCHEMA, *history.SCHEMA) if found == 1 else ()
    with refusals("migrate", path), closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous=FULL")
        with transaction(db):
            for statement in (*earlier, *unpacking.SCHEMA):
                db.execute(statement)
            db.execute(f"PRAGMA user_version={FORMAT.version}")


def _length(batch: Incoming) -> int:
    return sum(block.count for block in batch.lease.blocks)


def _check_numbers(batch: Incoming) -> MessageInvalid | None:
    lease = batch.lease
    numbers = [lease.low, *(n for block in lease.blocks for n in (block.first, block.count, block.last))]
    if all(1 <= number <= _HIGHEST for number in numbers):
        return None
    return MessageInvalid("store batch", batch.device, "its sequence numbers are impossible")
