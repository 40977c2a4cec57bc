"""Data folders as earlier releases left them."""

from __future__ import annotations

import sqlite3
import zlib
from contextlib import closing
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from pathlib import Path

EPOCH = "0123456789abcdef"

# What release 1 wrote.
STATE_1 = """
    CREATE TABLE epochs (
        n INTEGER PRIMARY KEY, epoch TEXT NOT NULL UNIQUE, stream TEXT NOT NULL,
        acked INTEGER NOT NULL DEFAULT 0, last INTEGER
    ) STRICT
"""
SEGMENT_1 = """
    CREATE TABLE blocks (
        first INTEGER PRIMARY KEY, count INTEGER NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL
    ) STRICT
"""


def database(path: Path, kind: bytes, schema: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute(f"PRAGMA application_id={int.from_bytes(kind)}")
    db.execute("PRAGMA user_version=1")
    db.execute(schema)
    return db


def release_1(folder: Path, *, crashed: bool = False) -> None:
    """Six records in three segments, the first two acknowledged."""
    (folder / "segments").mkdir()
    with closing(database(folder / "state.db", b"EAst", STATE_1)) as db:
        db.execute("INSERT INTO epochs (epoch, stream, acked, last) VALUES (?, 'result', 2, NULL)", (EPOCH,))
    for first in (1, 3, 5):
        path = folder / "segments" / f"result-{EPOCH}-{first:012d}.db"
        db = database(path, b"EAsg", SEGMENT_1)
        data = zlib.compress(orjson.dumps({"ledgers": {}, "records": [{"n": first}, {"n": first + 1}]}), 1)
        crc = zlib.crc32(data, zlib.crc32(b"%d:%d" % (first, 2)))
        db.execute("INSERT INTO blocks VALUES (?, 2, ?, ?)", (first, crc, data))
        if crashed and first == 5:  # the last block stands in the log alone
            log = path.with_name(f"{path.name}-wal").read_bytes()
            before = path.read_bytes()
            db.close()
            path.write_bytes(before)
            path.with_name(f"{path.name}-wal").write_bytes(log)
        db.close()
