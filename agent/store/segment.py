"""A segment: one SQLite file that holds blocks of one epoch, in order.

Each row is one packed block with a CRC-32 over its place, its times and its bytes, so that a damaged block
is seen without unpacking it, and costs itself only. Release 1 kept no times: its rows have none.
"""

from __future__ import annotations

import zlib
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from agent.blocks import Block, Times
from agent.errors import FileDamaged, FolderUnusable
from agent.sqlite import LOG_PAGES, MOVE_AWAY, open_database, open_sealed, refusals, transaction
from agent.store.forms import SEGMENT_VERSION, form

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from pathlib import Path

FORMAT = form(
    b"EAsg",
    SEGMENT_VERSION,
    """
    CREATE TABLE blocks (
        first INTEGER PRIMARY KEY, count INTEGER NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL,
        from_ns INTEGER, to_ns INTEGER, powered_s INTEGER
    ) STRICT
    """,
)

_FROM = """
    SELECT first, count, crc, data, from_ns, to_ns, powered_s FROM blocks
    WHERE first >= coalesce((SELECT max(first) FROM blocks WHERE first <= ?), 0) ORDER BY first
"""
_SIZE = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"


class Segment:
    """One open segment file; made by ``create`` or ``sealed``."""

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path = path
        self._db = db

    @classmethod
    def create(cls, path: Path, log_pages: int = LOG_PAGES) -> Segment:
        """Open a segment for writing; make it when it is not there. ``log_pages``: see ``open_database``.

        Raises:
            StoreBusy: it cannot be opened for now.
            FolderUnusable: the file is damaged (FileDamaged) or not a segment.
        """
        with _damage_by_its_place(path):
            return cls(path, open_database(path, FORMAT, log_pages=log_pages))

    @classmethod
    def sealed(cls, path: Path) -> Segment:
        """Open a segment that is written no more.

        Raises:
            StoreBusy: it cannot be opened for now.
            FolderUnusable: the file is damaged (FileDamaged) or not a segment.
        """
        with _damage_by_its_place(path):
            return cls(path, open_sealed(path, FORMAT))

    def append(self, blocks: Sequence[Block]) -> int:
        """Commit blocks in one durable transaction: all of them, or none. Give the file's size in bytes.

        Raises:
            StoreBusy: the disk is full, read-only or locked; nothing was stored.
            FileDamaged: the file is damaged.
        """
        rows = [_row(block) for block in blocks]
        with refusals("write", self.path), transaction(self._db):
            self._db.executemany("INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
            return int(self._db.execute(_SIZE).fetchone()[0])

    def read(self, seq: int, max_bytes: int) -> tuple[Block, ...]:
        """Give adjacent blocks from the one that holds ``seq`` or comes next.

        Args:
            seq: the first record that is wanted.
            max_bytes: where to stop; the first block is given whatever its size.

        Raises:
            StoreBusy: it cannot be read for now.
            FileDamaged: the first block, or the file, is damaged.
        """
        found: list[Block] = []
        room = max_bytes
        with refusals("read", self.path), closing(self._db.execute(_FROM, (seq,))) as rows:
            for row in rows:
                if (read := _block(row)) is None:
                    if found:
                        break
                    raise FileDamaged("read", str(self.path), f"row {row[0]} is damaged", MOVE_AWAY)
                block, crc = read
                if block.last < seq:
                    continue
                room -= len(block.data)
                sound = checksum(block) == crc
                if found and (room < 0 or block.first != found[-1].last + 1 or not sound):
                    break
                if not sound:
                    raise self._damaged(block)
                found.append(block)
        return tuple(found)

    def last(self) -> int:
        """The last sequence number in the file; 0 when it is empty.

        Raises:
            StoreBusy: it cannot be read for now.
            FileDamaged: the file is damaged.
        """
        with refusals("read", self.path):
            row = self._db.execute(
                "SELECT first + count - 1 FROM blocks ORDER BY first DESC LIMIT 1"
            ).fetchone()
        if row is None:
            return 0
        if not isinstance(row[0], int):
            raise FileDamaged("read", str(self.path), "its last block has no number", MOVE_AWAY)
        return row[0]

    def close(self) -> None:
        """Close the file; the log beside it is folded in. Idempotent."""
        self._db.close()

    def _damaged(self, block: Block) -> FileDamaged:
        return FileDamaged(
            "read",
            str(self.path),
            f"the block of records {block.first}..{block.last} is damaged",
            MOVE_AWAY,
        )


def rows_of(db: sqlite3.Connection) -> Iterator[tuple[Block, int]]:
    """Every block of an open segment with the checksum that stands beside it, in order.

    Raises:
        sqlite3.Error: the file gives no more.
    """
    with closing(db.execute(_FROM, (0,))) as rows:
        yield from (read for row in rows if (read := _block(row)) is not None)


def _block(row: tuple[Any, ...]) -> tuple[Block, int] | None:
    """Read a row; None when a value is not of its column's type, which a flipped bit can bring about."""
    first, count, crc, data, *when = row
    if not (isinstance(count, int) and isinstance(crc, int) and isinstance(data, bytes)):
        return None
    if when == [None] * 3:
        return Block(first, count, data), crc
    if not all(isinstance(value, int) for value in when):
        return None
    return Block(first, count, data, Times(*when)), crc


@contextmanager
def _damage_by_its_place(path: Path) -> Iterator[None]:
    """A file of our name in our folder that says it is another's, or of another version, is a damaged one.

    Versions are compared before, for the whole folder, by that of state.db.
    """
    try:
        yield
    except FileDamaged:
        raise
    except FolderUnusable as error:
        raise FileDamaged(error.op, str(path), error.problem, error.hint) from error


def _row(block: Block) -> tuple[object, ...]:
    times = block.times
    when = (times.from_ns, times.to_ns, times.powered_s) if times else (None, None, None)
    return block.first, block.count, checksum(block), block.data, *when


def checksum(block: Block) -> int:
    """CRC-32 of a block's place, times and bytes; release 1 had no times."""
    place = b"%d:%d" % (block.first, block.count)
    if times := block.times:
        place += b":%d:%d:%d" % (times.from_ns, times.to_ns, times.powered_s)
    return zlib.crc32(block.data, zlib.crc32(place))
