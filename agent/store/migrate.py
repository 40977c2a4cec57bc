"""Bring the files of a data folder from one release's format to another's, up or down.

``python -m agent.store.migrate FOLDER [--to N]``: a program of its own, so that the agent never loads what
only migrations need. Each file changes in one transaction, and state.db last of all: whatever interrupts it,
the next run goes on with the files that still have the old version. Whoever starts it holds the folder.

Release 1 knew one stream. On the way down the others are put into the folder ``release-2``, with the state as
it was; the way up takes them back.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import zlib
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlite_utils import Database

from agent.errors import EXIT_FAILED, EXIT_OK, AgentError, FolderUnusable
from agent.files import sync_folder
from agent.store import segment, state
from agent.store.database import refusals, version_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from sqlite3 import Connection

CURRENT = state.FORMAT.version
OLDEST = 1
ASIDE = "release-2"
_SHARED = "result"
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


def migrate(folder: Path, to: int = CURRENT) -> list[str]:
    """Bring every file in ``folder`` to version ``to``; give the names of those that changed.

    Raises:
        StoreBusy: the disk refuses for now; what is done stays done.
        FolderUnusable: there is no such version, or a file is damaged.
    """
    if not OLDEST <= to <= CURRENT:
        problem = f"there is no version {to}"
        raise FolderUnusable("migrate", str(folder), problem, f"Take {OLDEST} to {CURRENT}")
    path = folder / "state.db"
    down = to < CURRENT
    if down and version_of(path) == CURRENT:
        _set_aside(folder)
    step = _segment_down if down else _segment_up
    files = sorted((folder / "segments").glob("*.db"))
    changed = [file.name for file in files if _change(file, to, step)]
    if path.exists() and _change(path, to, _state_down if down else _state_up):
        changed.append(path.name)
    if not down and (folder / ASIDE).is_dir():
        _take_back(folder)
    return changed


def _change(path: Path, to: int, step: Callable[[Database], None]) -> bool:
    """Run a step as one durable transaction, if the file has another version."""
    if version_of(path) == to:
        return False
    with refusals("migrate", path), closing(Database(path)) as db:
        db.conn.execute("PRAGMA synchronous=FULL")
        db.conn.isolation_level = None
        db.conn.execute("BEGIN IMMEDIATE")
        try:
            step(db)
            db.conn.execute(f"PRAGMA user_version={to}")
            db.conn.execute("COMMIT")
        finally:
            if db.conn.in_transaction:
                db.conn.execute("ROLLBACK")
        db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return True


def _segment_up(db: Database) -> None:
    for column in ("from_ns", "to_ns", "powered_s"):
        db.conn.execute(f"ALTER TABLE blocks ADD COLUMN {column} INTEGER")


def _segment_down(db: Database) -> None:
    """Times go, and the checksum is worked out without them; one that did not hold must not hold now."""
    db.conn.execute(_SEGMENT_1)
    for block, crc in segment.rows_of(db.conn):
        sound = segment.checksum(block) == crc
        plain = zlib.crc32(block.data, zlib.crc32(b"%d:%d" % (block.first, block.count)))
        row = (block.first, block.count, plain if sound else plain ^ 1, block.data)
        db.conn.execute("INSERT INTO blocks_1 VALUES (?, ?, ?, ?)", row)
    db.conn.execute("DROP TABLE blocks")
    db.conn.execute("ALTER TABLE blocks_1 RENAME TO blocks")


def _state_up(db: Database) -> None:
    rows = list(db.query("SELECT stream, epoch, acked, last FROM epochs ORDER BY n"))
    db.conn.execute("DROP TABLE epochs")
    for statement in state.FORMAT.schema:
        db.conn.execute(statement)
    for row in rows:
        _add_epoch(db.conn, row)


def _state_down(db: Database) -> None:
    """Losses, counters, floors and the inbox stay in the copy that was set aside."""
    query = "SELECT epoch, stream, acked, last FROM epochs WHERE stream = ? ORDER BY n"
    rows = list(db.query(query, (_SHARED,)))
    for table in ("epochs", "losses", "counters", "floors", "inbox"):
        db[table].drop()
    db.conn.execute(_EPOCHS_1)
    for row in rows:
        values = (row["epoch"], row["stream"], row["acked"], row["last"])
        db.conn.execute("INSERT INTO epochs (epoch, stream, acked, last) VALUES (?, ?, ?, ?)", values)


def _add_epoch(conn: Connection, row: dict[str, Any]) -> None:
    values = state.sealed(row["stream"], row["epoch"], row["acked"], row["last"])
    conn.execute(
        "INSERT OR IGNORE INTO epochs (stream, epoch, acked, last, crc) VALUES (?, ?, ?, ?, ?)", values
    )


def _set_aside(folder: Path) -> None:
    aside = folder / ASIDE
    with refusals("set aside", folder):
        aside.mkdir(mode=0o700, exist_ok=True)
        with closing(Database(folder / "state.db")) as db:  # folds in a log that a crash left
            db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copyfile(folder / "state.db", aside / "state.db.new")
        (aside / "state.db.new").rename(aside / "state.db")
        for file in (folder / "segments").iterdir():
            if not file.name.startswith(f"{_SHARED}-"):
                file.rename(aside / file.name)
        sync_folder(aside)
        sync_folder(folder / "segments")


def _take_back(folder: Path) -> None:
    """Files first, the state's rows next, the folder last: whatever is cut off is done again."""
    aside = folder / ASIDE
    with refusals("take back", folder):
        for file in aside.iterdir():
            if not file.name.startswith("state.db"):
                file.rename(folder / "segments" / file.name)
        sync_folder(folder / "segments")
        if (aside / "state.db").exists():
            with closing(Database(folder / "state.db")) as db:
                _merge(db, aside / "state.db")
        shutil.rmtree(aside)
        sync_folder(folder)


def _merge(db: Database, before: Path) -> None:
    """Take back what release 1 did not know: other streams, losses, counters, floors, commands."""
    db.conn.execute("PRAGMA synchronous=FULL")
    db.attach("before", before)
    with db.conn:
        for row in list(db.query("SELECT * FROM before.epochs WHERE stream != ? ORDER BY n", (_SHARED,))):
            _add_epoch(db.conn, row)
        for table in ("losses", "counters", "floors", "inbox"):
            db.conn.execute(f"INSERT OR IGNORE INTO {table} SELECT * FROM before.{table}")  # noqa: S608


def main(arguments: list[str] | None = None) -> int:
    """Run as a program; give the exit code."""
    parser = argparse.ArgumentParser(description="Bring a data folder to another version of its format.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--to", type=int, default=CURRENT, metavar="N")
    parsed = parser.parse_args(arguments)
    try:
        print("\n".join(migrate(parsed.folder, parsed.to)))
    except AgentError as error:
        print(error, file=sys.stderr)
        return EXIT_FAILED
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
