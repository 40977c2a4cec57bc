"""Bring the files of a data folder from one release's format to another's, up or down.

``python -m agent.store.migrate FOLDER [--to N]``: a program of its own, so that the agent never loads what
only migrations need. Each file changes in one transaction, and state.db last of all: whatever interrupts it,
the next run goes on with the files that still have the old version. Whoever starts it holds the folder.

Release 1 knew one stream. On the way down the others are put into the folder ``release-2``, with the state as
it was; the way up takes them back. There, what is damaged holds up nothing: the store sets it aside later.
"""

from __future__ import annotations

import argparse
import shutil
import sqlite3
import sys
import zlib
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlite_utils import Database

from agent.errors import EXIT_FAILED, EXIT_OK, AgentError, FileDamaged, FolderUnusable, StoreBusy
from agent.files import sync_folder, write_durably
from agent.sqlite import refusals, version_of
from agent.store import segment, state
from agent.store.disk import REFUSALS
from agent.store.rebuild import rebuilt
from agent.store.state import ASIDE, State

if TYPE_CHECKING:
    from collections.abc import Callable

CURRENT = state.FORMAT.version
OLDEST = 1
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
        FolderUnusable: there is no such version; on the way down, a file is damaged.
    """
    if not OLDEST <= to <= CURRENT:
        problem = f"there is no version {to}"
        raise FolderUnusable("migrate", str(folder), problem, f"Take {OLDEST} to {CURRENT}")
    path = folder / "state.db"
    down = to < CURRENT
    found = _version(path)
    if found is not None and found > CURRENT:
        hint = f"Have the newer agent run: edge-agent store migrate --to {CURRENT}"
        raise FolderUnusable("migrate", str(path), f"its format is version {found}", hint)
    if down and found == CURRENT:
        _take_back(folder)  # where the way up was cut off, the state is not whole yet
        _set_aside(folder)
    step = _segment_down if down else _segment_up
    files = sorted((folder / "segments").glob("*.db"))
    changed = [file.name for file in files if _change(file, to, step)]
    if path.exists() and _change(path, to, _state_down if down else _state_up):
        changed.append(path.name)
    if not down and (path.exists() or (folder / ASIDE).is_dir()):
        _make_sound(path, CURRENT, None)
        _take_back(folder)
    return changed


def _version(path: Path) -> int | None:
    """The version of a file's format; None when it is not there, was only begun, or is no database."""
    try:
        return version_of(path)
    except FileDamaged:
        return None


def _change(path: Path, to: int, step: Callable[[Database], None]) -> bool:
    """Run a step as one durable transaction, if the file has another version; one just begun has none."""
    try:
        if version_of(path) in {to, None}:
            return False
        with refusals("migrate", path), closing(Database(path)) as db:
            _run(db, to, step)
    except (FileDamaged, sqlite3.Error) as error:  # a flipped bit can rename a table
        if to == CURRENT:
            return False  # the store sets it aside when it comes to it
        hint = "Run first: edge-agent store verify --repair"
        raise FolderUnusable("migrate", str(path), f"it is damaged: {error}", hint) from error
    return True


def _run(db: Database, to: int, step: Callable[[Database], None]) -> None:
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


def _add_epoch(conn: sqlite3.Connection, row: dict[str, Any]) -> None:
    values = state.sealed(row["stream"], row["epoch"], row["acked"], row["last"])
    conn.execute(
        "INSERT OR IGNORE INTO epochs (stream, epoch, acked, last, crc) VALUES (?, ?, ?, ?, ?)", values
    )


def _set_aside(folder: Path) -> None:
    aside = folder / ASIDE
    with refusals("set aside", folder):
        aside.mkdir(mode=0o700, exist_ok=True)
        sync_folder(folder)
        with closing(Database(folder / "state.db")) as db:
            db.conn.execute("PRAGMA busy_timeout=1000")
            held, *_ = db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if held:  # then the copy would be without what stands in the log
            problem, hint = "another program reads it", "Close whatever else has it open"
            raise StoreBusy("set aside", str(folder / "state.db"), problem, hint)
        write_durably(aside / "state.db", (folder / "state.db").read_bytes())
        for file in (folder / "segments").iterdir():
            if not file.name.startswith(f"{_SHARED}-"):
                file.rename(aside / file.name)
        sync_folder(aside)
        sync_folder(folder / "segments")


def _take_back(folder: Path) -> None:
    """Files first, the state's rows next, the folder last: whatever is cut off is done again."""
    aside = folder / ASIDE
    if not aside.is_dir():
        return
    before = aside / "state.db"
    with refusals("take back", folder):
        for file in aside.iterdir():
            if file.is_file() and before.name not in file.name:
                file.rename(folder / "segments" / file.name)
        sync_folder(folder / "segments")
        sync_folder(aside)
        if before.exists():
            _make_sound(before, CURRENT)
            with closing(Database(folder / "state.db")) as db:
                _merge(db, before)
            before.unlink()
            sync_folder(aside)  # if it came back, its rows would bring back what was delivered since
        shutil.rmtree(aside)
        sync_folder(folder)


def _make_sound(path: Path, *expected: int | None) -> None:
    """See to it that a state can be read: one that cannot is made anew, with what can be read of it."""
    if path.exists() and _version(path) not in expected:
        rebuilt(path, FileDamaged("read", str(path), "it is damaged or empty")).close()
        return
    try:
        State(path).close()
    except FileDamaged as error:
        rebuilt(path, error).close()


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
        return next((code for code, kind in REFUSALS.items() if isinstance(error, kind)), EXIT_FAILED)
    return EXIT_OK


if __name__ == "__main__":
    sys.exit(main())
