"""Anybody's SQL, held to reading: what would write, attach a file or change SQLite is refused."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from agent.errors import AgentError, InputRejected

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

_ALLOWED = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}
_TYPES = {str: "TEXT", int: "INTEGER", float: "FLOAT"}
_CACHE_KIB = 16 << 10
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
    """Let ``db`` only read what is in it from now on."""
    db.set_authorizer(_authorize)


def answer(db: sqlite3.Connection, sql: str) -> tuple[tuple[str, ...], Iterator[tuple[Any, ...]]]:
    """Ask; give the columns' names, and the rows as they come.

    Raises:
        InputRejected: it is no SQL that reads; by the rows, too, while they are worked out.
    """
    try:
        cursor = db.execute(sql)
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise _refused(db, sql, error) from error
    if cursor.description is None:
        raise InputRejected("answer", sql[:80], "it asks for nothing", "Write a SELECT")
    return tuple(column[0] for column in cursor.description), _rows(db, sql, cursor)


def _rows(db: sqlite3.Connection, sql: str, cursor: sqlite3.Cursor) -> Iterator[tuple[Any, ...]]:
    try:
        yield from cursor
    except sqlite3.Error as error:
        raise _refused(db, sql, error) from error


def _authorize(action: int, first: str | None, *_: object) -> int:
    if action in _ALLOWED or (action == sqlite3.SQLITE_PRAGMA and first in _PRAGMAS):
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def _refused(db: sqlite3.Connection, sql: str, error: Exception) -> InputRejected:
    problem = str(error)
    if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_AUTH:
        problem = "it would do more than read"
    tables = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
    hint = f"The tables are {', '.join(tables)}; PRAGMA table_info(NAME) tells a table's columns"
    return InputRejected("answer", sql[:80], problem, hint)
