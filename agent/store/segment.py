"""A segment: one SQLite file that holds blocks of one epoch, in order.

Each row is one packed block with a CRC-32 over its place and its bytes, so that a damaged block is seen
without unpacking it, and costs itself only.
"""

from __future__ import annotations

import zlib
from contextlib import closing
from typing import TYPE_CHECKING

from agent.blocks import Block
from agent.errors import FolderUnusable
from agent.store.database import Format, open_database, open_sealed, refusals, transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from pathlib import Path

FORMAT = Format(
    kind=int.from_bytes(b"EAsg"),
    version=1,
    schema=(
        """
        CREATE TABLE blocks (
            first INTEGER PRIMARY KEY, count INTEGER NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL
        ) STRICT
        """,
    ),
)

_FROM = """
    SELECT first, count, crc, data FROM blocks
    WHERE first >= coalesce((SELECT max(first) FROM blocks WHERE first <= ?), 0) ORDER BY first
"""
_SIZE = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"


class Segment:
    """One open segment file; made by ``create`` or ``sealed``."""

    def __init__(self, path: Path, db: sqlite3.Connection) -> None:
        self.path = path
        self._db = db

    @classmethod
    def create(cls, path: Path) -> Segment:
        """Open a segment for writing; make it when it is not there.

        Raises:
            StoreBusy: it cannot be opened for now.
            FolderUnusable: the file is damaged or not a segment.
        """
        return cls(path, open_database(path, FORMAT))

    @classmethod
    def sealed(cls, path: Path) -> Segment:
        """Open a segment that is written no more.

        Raises:
            StoreBusy: it cannot be opened for now.
            FolderUnusable: the file is damaged or not a segment.
        """
        return cls(path, open_sealed(path, FORMAT))

    def append(self, blocks: Sequence[Block]) -> int:
        """Commit blocks in one durable transaction: all of them, or none. Give the file's size in bytes.

        Raises:
            StoreBusy: the disk is full, read-only or locked; nothing was stored.
            FolderUnusable: the file is damaged.
        """
        rows = [(block.first, block.count, _checksum(block), block.data) for block in blocks]
        with refusals("write", self.path), transaction(self._db):
            self._db.executemany("INSERT INTO blocks VALUES (?, ?, ?, ?)", rows)
            return int(self._db.execute(_SIZE).fetchone()[0])

    def read(self, seq: int, max_bytes: int) -> tuple[Block, ...]:
        """Give adjacent blocks from the one that holds ``seq`` or comes next.

        Args:
            seq: the first record that is wanted.
            max_bytes: where to stop; the first block is given whatever its size.

        Raises:
            StoreBusy: it cannot be read for now.
            FolderUnusable: the first block, or the file, is damaged.
        """
        found: list[Block] = []
        room = max_bytes
        with refusals("read", self.path), closing(self._db.execute(_FROM, (seq,))) as rows:
            for first, count, crc, data in rows:
                block = Block(first, count, data)
                if block.last < seq:
                    continue
                room -= len(data)
                sound = _checksum(block) == crc
                if found and (room < 0 or first != found[-1].last + 1 or not sound):
                    break
                if not sound:
                    raise self._damaged(block)
                found.append(block)
        return tuple(found)

    def last(self) -> int:
        """The last sequence number in the file; 0 when it is empty.

        Raises:
            StoreBusy: it cannot be read for now.
            FolderUnusable: the file is damaged.
        """
        with refusals("read", self.path):
            row = self._db.execute(
                "SELECT first + count - 1 FROM blocks ORDER BY first DESC LIMIT 1"
            ).fetchone()
        return int(row[0]) if row else 0

    def close(self) -> None:
        """Close the file; the log beside it is folded in. Idempotent."""
        self._db.close()

    def _damaged(self, block: Block) -> FolderUnusable:
        return FolderUnusable(
            "read",
            str(self.path),
            f"the block of records {block.first}..{block.last} is damaged",
            "Move the file away, then start again",
        )


def _checksum(block: Block) -> int:
    return zlib.crc32(block.data, zlib.crc32(b"%d:%d" % (block.first, block.count)))
