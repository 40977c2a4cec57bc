"""How each kind of file is brought from one version to the next or to the one before."""

from __future__ import annotations

import sqlite3
import zlib
from contextlib import closing
from typing import TYPE_CHECKING, Any

from sqlite_utils import Database

from agent.errors import FileDamaged, FolderUnusable
from agent.sqlite import refusals, version_of
from agent.store import custody, segment, state
from agent.store.forms import SEGMENT_VERSION, VERSION
from agent.store.seals import sealed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Step = Callable[[Database], None]

SHARED = "result"
"""The stream that release 1 knows."""

_SEGMENT_1 = """
    CREATE TABLE blocks_1 (
        first INTEGER PRIMARY KEY, count INTEGER NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL
    ) STRICT
"""
_EPOCHS_1 = """
    CREATE TABLE epochs (
        n INTEGER PRIMARY KEY, epoch TEXT NOT NULL UNIQUE, stream TEXT NOT NULL,
        acked INTEGER NOT NULL DEFAULT 0, last INTEGER
    ) STRICT
"""


def is_state(path: Path) -> bool:
    """Whether a file is a state.db; else it is a segment."""
    return path.name == "state.db"


def version_in(path: Path, folder: int) -> int:
    """Which version a file has in a folder of the version ``folder``."""
    return folder if is_state(path) else min(folder, SEGMENT_VERSION)


def change(path: Path, to: int) -> bool:
    """Bring a file to a version, in one durable transaction; one just begun has none, and stays.

    Returns:
        Whether it had another one. On the way up a damaged file stays as it is: the store sets it aside when
        it comes to it.

    Raises:
        StoreBusy: the disk refuses for now.
        FolderUnusable: on the way down, it is damaged.
    """
    try:
        before = version_of(path)
        if before is None or before == to or before > version_in(path, VERSION):
            return False
        with refusals("migrate", path), closing(Database(path)) as db:
            _run(db, to, _steps(path, before, to))
    except (FileDamaged, sqlite3.Error) as error:  # a flipped bit can rename a table
        if to == version_in(path, VERSION):
            return False
        raise refused(path, error) from error
    return True


def refused(path: Path, error: Exception) -> FolderUnusable:
    """Say that a damaged file keeps the folder from going down."""
    problem = error.problem if isinstance(error, FileDamaged) else f"it is damaged: {error}"
    hint = "Run first: edge-agent store verify --repair"
    return FolderUnusable("migrate", str(path), problem, hint)


def add_epoch(conn: sqlite3.Connection, row: dict[str, Any]) -> None:
    """Add an epoch to a state, after all others; one that is there stays."""
    values = sealed(row["stream"], row["epoch"], row["acked"], row["last"])
    conn.execute(
        "INSERT OR IGNORE INTO epochs (stream, epoch, acked, last, crc) VALUES (?, ?, ?, ?, ?)", values
    )


def _steps(path: Path, before: int, to: int) -> list[Step]:
    up, down = (_STATE_UP, _STATE_DOWN) if is_state(path) else (_SEGMENT_UP, _SEGMENT_DOWN)
    if before < to:
        return [up[version] for version in range(before, to)]
    return [down[version] for version in range(before, to, -1)]


def _run(db: Database, to: int, steps: list[Step]) -> None:
    db.conn.execute("PRAGMA synchronous=FULL")
    db.conn.isolation_level = None
    db.conn.execute("BEGIN IMMEDIATE")
    try:
        for step in steps:
            step(db)
        db.conn.execute(f"PRAGMA user_version={to}")
        db.conn.execute("COMMIT")
    finally:
        if db.conn.in_transaction:
            db.conn.execute("ROLLBACK")
    db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _segment_1_to_2(db: Database) -> None:
    for column in ("from_ns", "to_ns", "powered_s"):
        db.conn.execute(f"ALTER TABLE blocks ADD COLUMN {column} INTEGER")


def _segment_2_to_1(db: Database) -> None:
    """Times go, and the checksum is worked out without them; one that did not hold must not hold now."""
    db.conn.execute(_SEGMENT_1)
    for block, crc in segment.rows_of(db.conn):
        sound = segment.checksum(block) == crc
        plain = zlib.crc32(block.data, zlib.crc32(b"%d:%d" % (block.first, block.count)))
        row = (block.first, block.count, plain if sound else plain ^ 1, block.data)
        db.conn.execute("INSERT INTO blocks_1 VALUES (?, ?, ?, ?)", row)
    db.conn.execute("DROP TABLE blocks")
    db.conn.execute("ALTER TABLE blocks_1 RENAME TO blocks")


def _state_1_to_2(db: Database) -> None:
    rows = list(db.query("SELECT stream, epoch, acked, last FROM epochs ORDER BY n"))
    db.conn.execute("DROP TABLE epochs")
    for statement in state.SCHEMA_2:
        db.conn.execute(statement)
    for row in rows:
        add_epoch(db.conn, row)


def _state_2_to_1(db: Database) -> None:
    """Losses, counters, floors and the inbox stay in the copy that was set aside."""
    query = "SELECT epoch, stream, acked, last FROM epochs WHERE stream = ? ORDER BY n"
    rows = list(db.query(query, (SHARED,)))
    for table in ("epochs", "losses", "counters", "floors", "inbox"):
        db[table].drop()
    db.conn.execute(_EPOCHS_1)
    for row in rows:
        values = (row["epoch"], row["stream"], row["acked"], row["last"])
        db.conn.execute("INSERT INTO epochs (epoch, stream, acked, last) VALUES (?, ?, ?, ?)", values)


def _state_2_to_3(db: Database) -> None:
    for statement in custody.SCHEMA_3:
        db.conn.execute(statement)
    _mark(db, 3)


def _state_3_to_2(db: Database) -> None:
    """Models and the audit log stay in the copy that was set aside."""
    _drop(db, 3)
    _mark(db, 2)


def _state_3_to_4(db: Database) -> None:
    for statement in custody.SCHEMA_4:
        db.conn.execute(statement)
    _mark(db, 4)


def _state_4_to_3(db: Database) -> None:
    """What the tuner chose stays in the copy that was set aside."""
    _drop(db, 4)
    _mark(db, 3)


def _state_4_to_5(db: Database) -> None:
    for statement in custody.SCHEMA_5:
        db.conn.execute(statement)
    _mark(db, 5)


def _state_5_to_4(db: Database) -> None:
    """Commands stay in the copy that was set aside; floors keep them from being replayed."""
    _drop(db, 5)
    _mark(db, 4)


def _drop(db: Database, version: int) -> None:
    for table in (table for table, since in custody.SINCE.items() if since == version):
        db[table].drop()


def _mark(db: Database, version: int) -> None:
    db.conn.execute("INSERT OR REPLACE INTO counters VALUES (?, ?, ?)", sealed(state.MARK, version))


_STATE_UP: dict[int, Step] = {1: _state_1_to_2, 2: _state_2_to_3, 3: _state_3_to_4, 4: _state_4_to_5}
_STATE_DOWN: dict[int, Step] = {2: _state_2_to_1, 3: _state_3_to_2, 4: _state_4_to_3, 5: _state_5_to_4}
_SEGMENT_UP: dict[int, Step] = {1: _segment_1_to_2}
_SEGMENT_DOWN: dict[int, Step] = {2: _segment_2_to_1}
