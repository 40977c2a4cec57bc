"""Our way with SQLite files: WAL, FULL, explicit transactions, and refusals in our own words.

The agent's store and the collector's database are such files. A ``Format`` says what to do about a bad one.
"""

from __future__ import annotations

import errno
import sqlite3
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.errors import DiskFull, FileDamaged, FolderUnusable, StoreBusy
from agent.files import sync_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.errors import AgentError

LOG_PAGES = 256
"""The log beside a file is folded in at so many pages of 4 KiB, and cut back to them."""
MOVE_AWAY = "Move the file away, then start again"
"""What to do about a damaged file, unless its ``Format`` knows better."""
PAGE = 4096
"""SQLite's default."""
_CACHE_KIB = 512

_BUSY = {
    sqlite3.SQLITE_FULL: ("the disk is full", "Free some space on it"),
    sqlite3.SQLITE_IOERR: ("the disk gave an I/O error", "Look at the kernel log and the free space"),
    sqlite3.SQLITE_READONLY: (
        "the file or its disk may not be written",
        "Check its owner and mode, and that the disk is mounted read-write",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "the file does not open",
        "Check that its folder is there, writable, not full",
    ),
    sqlite3.SQLITE_BUSY: ("another program has locked it", "Close whatever else has it open"),
    sqlite3.SQLITE_LOCKED: ("another program has locked it", "Close whatever else has it open"),
    sqlite3.SQLITE_PERM: ("permission denied", "Give its user write access"),
    sqlite3.SQLITE_AUTH: ("permission denied", "Give its user write access"),
    sqlite3.SQLITE_NOMEM: ("out of memory", "Free some memory"),
    sqlite3.SQLITE_PROTOCOL: ("another program has locked it", "Close whatever else has it open"),
}
_DAMAGED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


@contextmanager
def refusals(op: str, path: Path, *, damaged: str = MOVE_AWAY) -> Iterator[None]:
    """Raise what SQLite or the file system refuse as our own errors.

    Args:
        op: what is being done.
        path: with what.
        damaged: what to do when it is damaged.

    Raises:
        StoreBusy: read-only, locked or away; the same may succeed later. DiskFull when it has no room.
        FileDamaged: the file is damaged.
    """
    try:
        yield
    except sqlite3.Error as error:
        if (refusal := _refusal(op, path, error, damaged)) is None:
            raise
        raise refusal from error
    except UnicodeDecodeError as error:  # SQLite quotes a damaged schema in what it says
        raise FileDamaged(op, str(path), "it is damaged: its text is none", damaged) from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise DiskFull(op, str(path), *_BUSY[sqlite3.SQLITE_FULL]) from error
        raise StoreBusy(op, str(path), error.strerror or str(error), "Check the disk") from error


def _refusal(op: str, path: Path, error: sqlite3.Error, damaged: str) -> AgentError | None:
    """Translate; None stands for a bug of ours, such as bad SQL or a broken constraint."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is None:
        return None
    primary = code & 0xFF
    if primary in _DAMAGED:
        return FileDamaged(op, str(path), f"it is damaged: {error}", damaged)
    if primary not in _BUSY:
        return None
    problem, hint = _BUSY[primary]
    kind = DiskFull if primary == sqlite3.SQLITE_FULL else StoreBusy
    return kind(op, str(path), f"{problem} ({error.sqlite_errorname})", hint)


@contextmanager
def transaction(db: sqlite3.Connection) -> Iterator[None]:
    """Run a block as one write transaction; an exception rolls it back."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    finally:
        if db.in_transaction:  # not so after SQLITE_FULL and SQLITE_IOERR: SQLite has rolled back by itself
            db.execute("ROLLBACK")


@dataclass(frozen=True, slots=True)
class Format:
    """One kind of file of ours.

    Attributes:
        kind: SQLite's application id, which tells our kinds of files apart.
        version: the schema's version, kept as SQLite's user version.
        schema: the statements that make it.
        foreign: what to do about a file of another kind.
        older: what to do about a file of an earlier version.
        newer: what to do about a file of a later version.
        damaged: what to do about a damaged file.
    """

    kind: int
    version: int
    schema: tuple[str, ...]
    foreign: str
    older: str
    newer: str
    damaged: str = MOVE_AWAY


def open_database(
    path: Path, form: Format, *, patience_s: float = 0.0, log_pages: int = LOG_PAGES
) -> sqlite3.Connection:
    """Open a database for writing; make it when it is not there, or when a crash left it unfinished.

    Args:
        path: the file.
        form: what it must be.
        patience_s: how long to wait for another program's lock.
        log_pages: at how many pages the log beside it is folded in.

    Raises:
        StoreBusy: it cannot be opened for now.
        FolderUnusable: it is damaged, not of this kind, or of another version.
    """
    with refusals("open", path, damaged=form.damaged), ExitStack() as undo:
        fresh = not path.exists()
        db = _connect(path, "mode=rwc", patience_s)
        undo.callback(db.close)
        if not _unmade(db):
            check(db, path, form)  # before anything is changed: it may be somebody else's
        _set_up(db, form, log_pages)
        check(db, path, form)
        if fresh:
            sync_folder(path.parent)
        undo.pop_all()
    return db


def open_sealed(path: Path, form: Format) -> sqlite3.Connection:
    """Open a database that nobody writes any more, for reading.

    Cleanly closed, it needs no side files, so it can be read on a disk that is full or read-only.

    Raises:
        StoreBusy: it cannot be opened for now.
        FolderUnusable: it is damaged, not of this kind, or of another version.
    """
    left_open = path.with_name(f"{path.name}-wal").exists()
    with refusals("open", path, damaged=form.damaged), ExitStack() as undo:
        db = _connect(path, "mode=rw" if left_open else "mode=ro&immutable=1", 0.0)
        undo.callback(db.close)
        check(db, path, form)
        undo.pop_all()
    return db


def _connect(path: Path, how: str, patience_s: float) -> sqlite3.Connection:
    return sqlite3.connect(
        f"{path.absolute().as_uri()}?{how}",
        uri=True,
        timeout=patience_s,
        isolation_level=None,
        check_same_thread=False,  # opened by one thread, then handed to the one that uses it
    )


def _set_up(db: sqlite3.Connection, form: Format, log_pages: int) -> None:
    db.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute(f"PRAGMA journal_size_limit={log_pages * PAGE}")
    db.execute(f"PRAGMA wal_autocheckpoint={log_pages}")
    if not _unmade(db):
        return
    with transaction(db):
        if not _unmade(db):  # another program was faster
            return
        db.execute(f"PRAGMA application_id={form.kind}")
        db.execute(f"PRAGMA user_version={form.version}")
        for statement in form.schema:
            db.execute(statement)


def _unmade(db: sqlite3.Connection) -> bool:
    query = (
        "SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema) AND application_id = 0 FROM pragma_application_id"
    )
    return bool(db.execute(query).fetchone()[0])


def check(db: sqlite3.Connection, path: Path, form: Format) -> None:
    """Look whether an open database is of this kind and version.

    Raises:
        FolderUnusable: it is not.
    """
    if db.execute("PRAGMA application_id").fetchone()[0] != form.kind:
        raise FolderUnusable("open", str(path), "this file is somebody else's", form.foreign)
    found = db.execute("PRAGMA user_version").fetchone()[0]
    if found != form.version:
        problem = f"its format is version {found}, this release reads version {form.version}"
        raise FolderUnusable("open", str(path), problem, form.older if found < form.version else form.newer)


def version_of(path: Path) -> int | None:
    """The version of a database's format, whatever kind it is; None when it is not there or has none yet.

    Raises:
        StoreBusy: it cannot be read for now.
        FileDamaged: it is no database.
    """
    if not path.exists():
        return None
    with refusals("open", path), closing(_connect(path, "mode=rw", 0.0)) as db:
        return int(db.execute("PRAGMA user_version").fetchone()[0]) or None


def remove_database(path: Path) -> None:
    """Unlink a closed database; the file itself goes last: a crash in between leaves a name to find."""
    for name in (f"{path.name}-wal", f"{path.name}-shm", path.name):
        path.with_name(name).unlink(missing_ok=True)


def identity(folder: Path) -> tuple[int, int]:
    """Say which folder stands at a path: another one may be mounted there.

    Raises:
        OSError: none does.
    """
    found = folder.stat()
    return found.st_dev, found.st_ino
