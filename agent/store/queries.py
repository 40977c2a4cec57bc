"""Anybody's SQL, held to reading: what would write, attach a file or change SQLite is refused."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from agent.errors import InputRejected

if TYPE_CHECKING:
    from collections.abc import Iterator

_ALLOWED = {
    sqlite3.SQLITE_SELECT,
    sqlite3.SQLITE_READ,
    sqlite3.SQLITE_FUNCTION,
    sqlite3.SQLITE_RECURSIVE,
}
_PRAGMAS = {"table_info", "table_xinfo", "table_list"}


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
