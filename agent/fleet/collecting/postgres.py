"""The collector's store in PostgreSQL: for a large fleet, and for several collectors at once.

Each transaction that stores first locks the rows of its devices, in the order of their names. So what
collectors store of one device comes one after the other, and a watermark sees all that was committed before.
"""

from __future__ import annotations

import re
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import psycopg
from psycopg.conninfo import conninfo_to_dict

from agent.clock import SystemClock
from agent.errors import ConfigInvalid, DiskFull, FolderUnusable, MessageInvalid, StoreBusy
from agent.fleet.collecting import postgres_tables
from agent.fleet.collecting.storage import Storage

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from agent.clock import Clock
    from agent.fleet.collecting.sql import Answer

_CONNECT_S = 5
_OPTIONS = "-c lock_timeout=10s -c statement_timeout=60s -c idle_in_transaction_session_timeout=120s"
_LIMITS = "54"
"""The class of errors where a row is too large, or too deep."""
_ZERO = re.compile(r"(?<!\\)((?:\\\\)*)\\u0000")
"""A zero in a JSON text, which JSONB cannot hold; a backslash that is itself escaped begins none."""


def shown(url: str) -> str:
    """Give a URL as people may see it: without its password, and whatever else stands in it.

    Raises:
        ConfigInvalid: it is none.
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        parts = {"port": "?"}
    # A password whose special characters are not written as %XX ends up in the other parts.
    odd = any("@" in str(parts.get(key) or "") for key in ("user", "host", "dbname"))
    if odd or not re.fullmatch(r"[0-9,]*", str(parts.get("port") or "")):
        hint = "Use postgresql://USER@HOST:PORT/NAME, special characters as %XX; the password from PGPASSWORD"
        raise ConfigInvalid("collect", "--to postgresql://...", "this is no such URL", hint)
    user = f"{parts['user']}@" if parts.get("user") else ""
    port = f":{parts['port']}" if parts.get("port") else ""
    return f"postgresql://{user}{parts.get('host') or ''}{port}/{parts.get('dbname') or ''}"


class Postgres:
    """A connection that speaks as SQLite's does: parameters stand as ``?``.

    Args:
        url: the database's; its password is never shown.
        read_only: refuse to write.

    Raises:
        ConfigInvalid: the URL is none; by any call that connects: the database's encoding is SQL_ASCII.
    """

    def __init__(self, url: str, *, read_only: bool = False) -> None:
        self._url = url
        self._read_only = read_only
        self._open: psycopg.Connection | None = None
        self.shown = shown(url)

    def execute(self, query: str, parameters: Sequence[Any] = (), /) -> Answer:
        """Run one statement."""
        return self._connected().execute(_translated(query), tuple(parameters))

    def executemany(self, query: str, rows: Iterable[Sequence[Any]], /) -> None:
        """Run one statement for each row.

        Raises:
            MessageInvalid: a row holds what PostgreSQL cannot; the transaction is good for a rollback only.
        """
        found = [tuple(_plain(value) for value in row) for row in rows]
        if not found:
            return
        connection = self._connected()
        try:
            with connection.cursor() as cursor:
                cursor.executemany(_translated(query), found)
        except psycopg.Error as error:
            if not _of_the_row(error):
                raise
            raise MessageInvalid("unpack block", "record", _said(error)) from error

    @contextmanager
    def transaction(self, op: str) -> Iterator[None]:
        """Run a block as one transaction; an exception rolls it back.

        Raises:
            StoreBusy: the database is away, stopping, full, another transaction was in the way, or its
                tables are not as they were.
        """
        try:
            with self._connected().transaction():
                yield
        except (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError) as error:
            self._forget_if_lost()
            raise self._refusal(op, error) from error
        except psycopg.errors.InsufficientPrivilege as error:
            raise StoreBusy(
                op, self.shown, _said(error), "Grant the collector's role what it needs"
            ) from error
        except psycopg.ProgrammingError as error:
            raise StoreBusy(op, self.shown, _said(error), "See who has changed its tables") from error

    def version(self) -> int:
        """Give the version of its tables, inside a transaction; 0 when there are none."""
        (there,) = self.execute("SELECT to_regclass('schema_version') IS NOT NULL").fetchone()
        query = "SELECT coalesce(max(version), 0) FROM schema_version"
        return int(self.execute(query).fetchone()[0]) if there else 0

    def close(self) -> None:
        """Close the connection. Idempotent."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _connected(self) -> psycopg.Connection:
        if self._open is None:
            options = f"{_OPTIONS} -c default_transaction_read_only={'on' if self._read_only else 'off'}"
            self._open = psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=_CONNECT_S,
                application_name="edgectl",
                options=options,
            )
            self._see_encoding(self._open)
        return self._open

    def _see_encoding(self, connection: psycopg.Connection) -> None:
        """Refuse SQL_ASCII: such a database gives names as bytes, and takes text in any encoding at once."""
        if connection.info.parameter_status("server_encoding") == "SQL_ASCII":
            self.close()
            problem = "its encoding is SQL_ASCII, which knows no characters"
            hint = "Make another, and name it in --to: createdb --template template0 --encoding UTF8 NAME"
            raise ConfigInvalid("open", self.shown, problem, hint)

    def _forget_if_lost(self) -> None:
        if self._open is not None and (self._open.closed or self._open.broken):
            self.close()

    def _refusal(self, op: str, error: psycopg.Error) -> StoreBusy:
        hint = "Check that the server runs and lets us in"
        if isinstance(error, psycopg.errors.DiskFull):
            return DiskFull(op, self.shown, _said(error), "Free some space on it")
        if isinstance(error, (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure)):
            hint = "It is tried again by itself"
        return StoreBusy(op, self.shown, _said(error), hint)


class PostgresWarehouse(Storage):
    """The tables in a PostgreSQL database; made when they are not there.

    A lost connection makes a call fail as ``StoreBusy``; the next one connects again.

    Args:
        url: the database's.
        clock: dates when a device was seen.

    Raises:
        ConfigInvalid: the URL is none, or the database's encoding is SQL_ASCII.
        StoreBusy: it cannot be opened for now.
        FolderUnusable: a newer collector made its tables, or somebody else.
    """

    _claim: ClassVar[str] = "FOR UPDATE SKIP LOCKED"
    _reserve: ClassVar[str] = "pg_try_advisory_lock(n)"
    _let_go: ClassVar[str] = "SELECT pg_advisory_unlock_all()"
    _db: Postgres

    def __init__(self, url: str, *, clock: Clock | None = None) -> None:
        super().__init__()
        self._clock = clock or SystemClock()
        self._db = Postgres(url)
        with ExitStack() as undo:
            undo.callback(self._db.close)
            with self._db.transaction("open"):
                self._upgrade()
            undo.pop_all()

    def close(self) -> None:
        """Close the connection. Idempotent."""
        self._db.close()

    def _upgrade(self) -> None:
        try:
            postgres_tables.upgrade(self._db, self._db.shown)
        except psycopg.errors.InsufficientPrivilege:
            raise
        except psycopg.ProgrammingError as error:  # there are others of the same names
            problem = f"its tables are not ours: {_said(error)}"
            raise FolderUnusable("open", self._db.shown, problem, postgres_tables.NOT_OURS) from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._db.transaction("write"):
            yield

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._db.transaction("read"):
            yield


def _translated(query: str) -> str:
    return query.replace("?", "%s")


def _plain(value: object) -> object:
    """A JSON text without zeros; other values stay."""
    if isinstance(value, str) and "\\u0000" in value and value.startswith(("{", "[")):
        return _ZERO.sub(r"\1\\ufffd", value)
    return value


def _of_the_row(error: psycopg.Error) -> bool:
    """Whether a database refuses just this row: for what is in it, how it is made, or its size."""
    elsewhere = (psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedTable)
    if isinstance(error, elsewhere) or not isinstance(error, psycopg.DatabaseError):
        return False
    of_a_row = (
        psycopg.DataError,
        psycopg.IntegrityError,
        psycopg.ProgrammingError,
        psycopg.NotSupportedError,
    )
    return isinstance(error, of_a_row) or (error.sqlstate or "").startswith(_LIMITS)


def _said(error: psycopg.Error) -> str:
    """What went wrong, in one line."""
    lines = str(error.diag.message_primary or error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
