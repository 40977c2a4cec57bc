"""The collector's store: every result exactly once, however often and in whatever order it arrives.

A result is named by (device, stream, epoch, seq); what is there already is ignored. The watermark that
goes back to the device is worked out in the transaction that stores, so it never promises too much.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import orjson

from agent.blocks import MAX_UNPACKED, inflate, parse
from agent.clock import SystemClock
from agent.errors import MessageInvalid
from agent.fleet import gaps, history, ranges
from agent.store.database import Format, open_database, refusals, transaction, version_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from agent.blocks import Block, Lease
    from agent.clock import Clock
    from agent.fleet.ranges import Place, Watermark

_PATIENCE_S = 5.0
_CACHE_KIB = 16 << 10
_HIGHEST = 2**53 - 1
"""The highest sequence number that JSON carries everywhere."""
_RECENT_EPOCHS = 8
_MAX_BATCH = 16 << 20
"""The most bytes that all blocks of one batch may unpack to."""

FORMAT = Format(
    kind=int.from_bytes(b"EAwh"),
    version=2,
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
    ),
)

_WALL = 6
"""Where a row of ``results`` has its time."""
_INSERT = "INSERT OR IGNORE INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_KEEP_LEDGER = """
    INSERT INTO ledgers VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET as_of_seq = excluded.as_of_seq, counts = excluded.counts
    WHERE excluded.as_of_seq > as_of_seq
"""
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
        new: results that were stored now.
        duplicate: results that were there already.
        watermark: what of the epoch is stored, this batch included; None when it was refused.
        refused: why nothing of it was stored; None when it was.
    """

    batch: Incoming
    new: int = 0
    duplicate: int = 0
    watermark: Watermark | None = None
    refused: MessageInvalid | None = None


@dataclass(frozen=True, slots=True)
class _Opened:
    """A block, unpacked into rows."""

    first: int
    last: int
    results: list[tuple[Any, ...]]
    ledgers: list[tuple[Any, ...]]


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

        A batch that cannot be read is refused whole, and does not touch the others.

        Raises:
            StoreBusy: the disk refuses for now; nothing was stored.
            FolderUnusable: the file is damaged.
        """
        opened = [_open(batch) for batch in batches]
        with refusals("write", self._path), transaction(self._db):
            counts = [
                self._insert(batch, blocks) if isinstance(blocks, list) else 0
                for batch, blocks in zip(batches, opened, strict=True)
            ]
            # Only now: with two batches of one epoch the later one completes what both may promise.
            return [
                Stored(batch, refused=blocks)
                if isinstance(blocks, MessageInvalid)
                else Stored(
                    batch, new, _length(blocks) - new, watermark=ranges.watermark(self._db, batch.place)
                )
                for batch, blocks, new in zip(batches, opened, counts, strict=True)
            ]

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

    def _insert(self, batch: Incoming, blocks: Iterable[_Opened]) -> int:
        """Insert a batch's rows; count the new results."""
        now = self._clock.wall_ns()
        self._db.execute(_SEEN, (batch.device, now, now))
        new = 0
        for block in blocks:
            new += self._db.executemany(_INSERT, block.results).rowcount
            self._db.executemany(_KEEP_LEDGER, block.ledgers)
            history.keep(self._db, block.ledgers, block.results[-1][_WALL] if block.results else None)
            ranges.add_range(self._db, batch.place, block.first, block.last)
            gaps.fill(self._db, batch.place, block.first, block.last)
        for loss in batch.lease.lost:
            gaps.declare(self._db, batch.place, loss, now)
        gaps.below(self._db, batch.place, batch.lease.low, now)
        ranges.touch(self._db, batch.place, batch.lease.low, live=batch.lease.live)
        return new


def _upgrade(path: Path) -> None:
    """Bring a database of release 1 up: it had no gaps, and only the newest ledgers."""
    if version_of(path) != 1:
        return
    with refusals("migrate", path), closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA synchronous=FULL")
        with transaction(db):
            for statement in (*gaps.SCHEMA, *history.SCHEMA):
                db.execute(statement)
            db.execute(f"PRAGMA user_version={FORMAT.version}")


def _length(blocks: Iterable[_Opened]) -> int:
    return sum(len(block.results) for block in blocks)


def _open(batch: Incoming) -> list[_Opened] | MessageInvalid:
    """Unpack a batch's blocks into rows, or say why it is refused."""
    try:
        _check_numbers(batch)
        opened = []
        left = _MAX_BATCH
        for block in batch.lease.blocks:
            text = inflate(block, min(left, MAX_UNPACKED))
            left -= len(text)
            opened.append(_open_block(batch.place, block, text))
    except MessageInvalid as refusal:
        return refusal
    return opened


def _check_numbers(batch: Incoming) -> None:
    lease = batch.lease
    numbers = [lease.low, *(n for block in lease.blocks for n in (block.first, block.count, block.last))]
    if not all(1 <= number <= _HIGHEST for number in numbers):
        raise MessageInvalid("store batch", batch.device, "its sequence numbers are impossible")


def _open_block(place: Place, block: Block, text: bytes) -> _Opened:
    records, ledgers, _ = parse(block, text)
    return _Opened(
        first=block.first,
        last=block.last,
        results=[(*place, seq, *_columns(record)) for seq, record in enumerate(records, block.first)],
        ledgers=[(*place, pipeline, block.last, _json(counts)) for pipeline, counts in ledgers.items()],
    )


def _columns(record: Mapping[str, Any]) -> tuple[str | None, int | None, int | None, str | None, str]:
    """Pipeline, frame, wall_ns, kind, and the whole record as JSON."""
    return (
        _text(record.get("pipeline")),
        _number(record.get("frame")),
        _number(record.get("wall_ns")),
        _text(record.get("kind")),
        _json(record),
    )


def _json(value: Mapping[str, Any]) -> str:
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:  # orjson reads deeper nesting than it writes
        raise MessageInvalid("store batch", "record", str(error)) from error


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> int | None:
    """An integer that fits SQLite's 64 bits; what a peer sends may be anything."""
    return value if isinstance(value, int) and -(2**63) <= value < 2**63 else None
