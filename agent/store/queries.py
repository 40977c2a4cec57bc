"""Anybody's SQL, held to reading: what would write, attach a file or change SQLite is refused."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

from agent.errors import AgentError, InputRejected

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence

_ALLOWED = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}
_TYPES = {str: "TEXT", int: "INTEGER", float: "FLOAT"}
_CACHE_KIB = 16 << 10
_LOOK_UP = 100_000
"""Steps of SQLite's machine, some milliseconds, after which it lets Python look whether a signal came."""
_PRAGMAS = {"table_info", "table_xinfo", "table_list"}


class Scratch:
    """Tables for one query, in a temporary file of SQLite's of which 16 MiB are held in memory."""

    def __init__(self) -> None:
        self.db = sqlite3.connect("", isolation_level=None)
        self.db.execute(f"PRAGMA cache_size=-{_CACHE_KIB}")
        self.db.execute("PRAGMA journal_mode=OFF")
        self.db.execute("BEGIN")

    def create(self, table: str, columns: Mapping[str, type]) -> None:
        """Make an empty table."""
        spelled = ", ".join(f"[{name}] {_TYPES[kind]}" for name, kind in columns.items())
        self.db.execute(f"CREATE TABLE [{table}] ({spelled})")

    def insert(self, table: str, columns: Sequence[str], rows: Iterable[tuple[object, ...]]) -> None:
        """Add rows; columns that are not named stay empty.

        Raises:
            AgentError: there is no room for the temporary file.
        """
        names, marks = ", ".join(f"[{name}]" for name in columns), ", ".join("?" * len(columns))
        statement = f"INSERT INTO [{table}] ({names}) VALUES ({marks})"  # noqa: S608 - names of ours
        try:
            self.db.executemany(statement, rows)
        except sqlite3.Error as error:
            hint = "Free space there, name another folder in SQLITE_TMPDIR, or narrow with --since or --limit"
            raise AgentError("make tables in", "SQLite's temporary folder", str(error), hint) from error

    def finish(self) -> None:
        """From now on the tables can only be read."""
        self.db.execute("COMMIT")
        guard(self.db)

    def close(self) -> None:
        """Throw them away. Idempotent."""
        self.db.close()


def guard(db: sqlite3.Connection) -> None:
    """Let ``db`` only read what is in it from now on, and be interrupted by a signal while it thinks."""
    db.set_progress_handler(_go_on, _LOOK_UP)
    db.set_authorizer(_authorize)


def answer(
    db: sqlite3.Connection, sql: str
) -> tuple[tuple[str, ...], Generator[tuple[Any, ...], None, None]]:
    """Ask; give the columns' names, each once, and the rows as they come. Close them before the database.

    Raises:
        InputRejected: it is no SQL that reads; by the rows, too, while they are worked out.
        KeyboardInterrupt: a signal came; by the rows, too.
    """
    try:
        cursor = db.execute(sql)
    except (sqlite3.Error, sqlite3.Warning, UnicodeEncodeError) as error:
        raise _refused(db, sql, error) from error
    if cursor.description is None:
        raise InputRejected("answer", sql[:80], "it asks for nothing", "Write a SELECT")
    return _distinct([column[0] for column in cursor.description]), _rows(db, sql, cursor)


def _rows(db: sqlite3.Connection, sql: str, cursor: sqlite3.Cursor) -> Generator[tuple[Any, ...], None, None]:
    with closing(cursor):
        try:
            yield from cursor
        except sqlite3.Error as error:
            raise _refused(db, sql, error) from error


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Columns of one name get numbers, as SQLite gives them in a view: a JSON object has each key once."""
    found: dict[str, None] = {}
    for name in names:
        spelled, n = name, 0
        while spelled in found:
            n += 1
            spelled = f"{name}:{n}"
        found[spelled] = None
    return tuple(found)


def _go_on() -> int:
    """What runs here is Python, so that a signal's handler gets its turn; what it raises ends the query."""
    return 0


def _authorize(action: int, first: str | None, *_: object) -> int:
    if action in _ALLOWED or (action == sqlite3.SQLITE_PRAGMA and first in _PRAGMAS):
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def _refused(db: sqlite3.Connection, sql: str, error: Exception) -> InputRejected:
    problem, code = str(error), getattr(error, "sqlite_errorcode", 0)
    if code == sqlite3.SQLITE_INTERRUPT:
        raise KeyboardInterrupt from error
    if isinstance(error, UnicodeEncodeError):
        return InputRejected("answer", ascii(sql)[:80], "it is no UTF-8", "Write it in UTF-8")
    if code == sqlite3.SQLITE_AUTH:
        problem = "it would do more than read"
    tables = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    hint = f"The tables are {', '.join(tables)}; PRAGMA table_info(NAME) tells a table's columns"
    return InputRejected("answer", sql[:80], problem, hint)
