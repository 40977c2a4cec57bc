"""state.db: which epochs there are, how far each is acknowledged, what of it is lost, and what we count.

Every row has a CRC-32 of its values: a cursor with a flipped bit would have undelivered results deleted.
"""

from __future__ import annotations

import sqlite3
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from agent.blocks import Loss
from agent.errors import FolderUnusable
from agent.sqlite import LOG_PAGES, open_database, refusals, transaction
from agent.store import custody
from agent.store.custody import Custody
from agent.store.forms import VERSION, form
from agent.store.seals import damaged, read_sealed, sealed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from agent.blocks import Stream
    from agent.slots import Change

SCHEMA_2 = (
    """
    CREATE TABLE epochs (
        n INTEGER PRIMARY KEY, stream TEXT NOT NULL, epoch TEXT NOT NULL,
        acked INTEGER NOT NULL, last INTEGER, crc INTEGER NOT NULL, UNIQUE (stream, epoch)
    ) STRICT
    """,
    """
    CREATE TABLE losses (
        stream TEXT, epoch TEXT, first INTEGER, last INTEGER NOT NULL, reason TEXT NOT NULL,
        from_ns INTEGER, to_ns INTEGER, crc INTEGER NOT NULL, PRIMARY KEY (stream, epoch, first)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE counters (
        name TEXT PRIMARY KEY, value INTEGER NOT NULL, crc INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE floors (
        name TEXT PRIMARY KEY, version INTEGER NOT NULL, crc INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE inbox (
        id TEXT PRIMARY KEY, received_ns INTEGER NOT NULL, body BLOB NOT NULL, outcome TEXT,
        crc INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
)
"""What release 2 knew."""
FORMAT = form(b"EAst", VERSION, *SCHEMA_2, *custody.SCHEMA_3, *custody.SCHEMA_4, *custody.SCHEMA_5)
MARK = "format"
"""A counter that says the version again: a flipped bit in the file's header must not look like an upgrade."""

_EPOCHS = "SELECT stream, epoch, acked, last, crc FROM epochs"
_INBOX = "SELECT id, received_ns, body, outcome, crc FROM inbox"
_PLACE = "stream = ? AND epoch = ?"


@dataclass(frozen=True, slots=True)
class EpochRow:
    """What is kept of one epoch of one stream.

    Attributes:
        stream: the stream that it belongs to.
        epoch: 16 hex digits.
        acked: the collector has stored everything up to here.
        last: its last sequence number; None while it is being written.
    """

    stream: Stream
    epoch: str
    acked: int = 0
    last: int | None = None


class State:
    """The open state file. Each method that writes has made its change durable when it returns.

    Args:
        path: the file.
        log_pages: pages at which SQLite folds its log in.
        reading: a connection that only reads, for who looks into another's folder; the caller closes it.

    Raises:
        StoreBusy: by every method; the disk refuses for now and nothing has changed.
        FolderUnusable: the file is damaged, or of another version.
    """

    def __init__(
        self, path: Path, log_pages: int = LOG_PAGES, *, reading: sqlite3.Connection | None = None
    ) -> None:
        self._path = path
        if reading is not None:
            self._db = reading
            self.custody = Custody(reading, path)
            self._examine(mark=False)
            return
        try:
            self._db = open_database(path, FORMAT, log_pages=log_pages)
        except FolderUnusable as error:
            if is_ours(path):
                raise damaged(path, error.problem) from error
            raise
        self.custody = Custody(self._db, path)
        with ExitStack() as undo:
            undo.callback(self._db.close)
            self._examine(mark=True)
            undo.pop_all()

    def epochs(self) -> list[EpochRow]:
        """Every epoch of every stream, oldest first."""
        return [EpochRow(*row) for row in self._read(f"{_EPOCHS} ORDER BY n")]

    def begin(self, epochs: Iterable[EpochRow]) -> None:
        """Add epochs after all others, in this order."""
        rows = [sealed(row.stream, row.epoch, row.acked, row.last) for row in epochs]
        self._write("INSERT INTO epochs (stream, epoch, acked, last, crc) VALUES (?, ?, ?, ?, ?)", rows)

    def end(self, ended: Mapping[tuple[Stream, str], int]) -> None:
        """Say of each stream and epoch that it is written no more, and what its last sequence number is."""
        with refusals("write", self._path), transaction(self._db):
            for place, last in ended.items():
                for row in self._epoch(place):
                    self._put(replace(row, last=last))

    def acknowledge(self, stream: Stream, epoch: str, upto: int) -> None:
        """Move the cursor of an epoch; it never moves back. Losses below it are known to all: dropped."""
        place = (stream, epoch)
        with refusals("write", self._path), transaction(self._db):
            for row in self._epoch(place):
                self._put(replace(row, acked=max(row.acked, upto)))
            self._db.execute(f"DELETE FROM losses WHERE {_PLACE} AND last <= ?", (*place, upto))  # noqa: S608

    def lose(self, stream: Stream, epoch: str, losses: Sequence[Loss]) -> None:
        """Note what is gone, and count it as ``lost_<reason>_<stream>``, in one transaction.

        A range that begins where a noted one began replaces it, and only the difference is counted.
        """
        with refusals("write", self._path), transaction(self._db):
            for loss in losses:
                self._note(stream, epoch, loss)

    def losses(self) -> dict[tuple[Stream, str], list[Loss]]:
        """What is gone and not yet acknowledged, by stream and epoch, each in order."""
        found: dict[tuple[Stream, str], list[Loss]] = {}
        query = "SELECT stream, epoch, first, last, reason, from_ns, to_ns, crc FROM losses ORDER BY first"
        for stream, epoch, *loss in self._read(query):
            found.setdefault((stream, epoch), []).append(Loss(*loss))
        return found

    def forget(self, epochs: Iterable[tuple[Stream, str]]) -> None:
        """Drop epochs that hold nothing any more, and whose losses are known to the collector."""
        places = list(epochs)
        with refusals("write", self._path), transaction(self._db):
            for table in ("epochs", "losses"):
                self._db.executemany(f"DELETE FROM {table} WHERE {_PLACE}", places)  # noqa: S608

    def add(self, name: str, count: int) -> None:
        """Add to a counter; it begins at 0."""
        with refusals("write", self._path), transaction(self._db):
            self._add(name, count)

    def counters(self) -> dict[str, int]:
        """Every counter."""
        return dict(self._read("SELECT name, value, crc FROM counters"))

    def floor(self, name: str) -> int:
        """The lowest version of ``name`` that may be taken; 0 when none was ever seen."""
        return int(dict(self._read("SELECT name, version, crc FROM floors")).get(name, 0))

    def raise_floor(self, name: str, version: int) -> None:
        """Take nothing of ``name`` below ``version`` from now on; a floor never falls."""
        with refusals("write", self._path), transaction(self._db):
            self._raise(name, version)

    def change(self, change: Change, wall_ns: int, *, synced: bool | None) -> tuple[int, str]:
        """Write a change of the models' rows in one transaction; give number and hash of the audit's head.

        Args:
            change: what is to be written; see ``custody.fitted``.
            wall_ns: the wall clock when it was asked for, nanoseconds since 1970.
            synced: whether that is to be believed.
        """
        with refusals("write", self._path), transaction(self._db):
            for name, version in change.floors.items():
                self._raise(name, version)
            return self.custody.apply(change, wall_ns, synced=synced)

    def restore(self, floors: Mapping[str, int], tables: Mapping[str, Sequence[tuple[Any, ...]]]) -> None:
        """Take over floors and rows of ``custody``'s tables; what is here already stays."""
        with refusals("write", self._path), transaction(self._db):
            for name, version in floors.items():
                self._raise(name, version)
            for table, rows in tables.items():
                for row in rows:
                    self.custody.insert(table, row)

    def accept(self, identity: str, body: bytes, received_ns: int) -> bool:
        """Keep a command until it has an outcome; say whether it is new."""
        with refusals("write", self._path), transaction(self._db):
            statement = "INSERT OR IGNORE INTO inbox VALUES (?, ?, ?, ?, ?)"
            return self._db.execute(statement, sealed(identity, received_ns, body, None)).rowcount == 1

    def settle(self, identity: str, outcome: str) -> None:
        """Keep what became of a command; the first outcome stands."""
        with refusals("write", self._path), transaction(self._db):
            for row in self._commands(identity):
                if row[-1] is None:
                    self._db.execute("REPLACE INTO inbox VALUES (?, ?, ?, ?, ?)", sealed(*row[:-1], outcome))

    def outcome(self, identity: str) -> str | None:
        """What became of a command; None while nobody knows."""
        return next((row[-1] for row in self._commands(identity)), None)

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._db.close()

    def _note(self, stream: Stream, epoch: str, loss: Loss) -> None:
        place = (stream, epoch, loss.first)
        query = f"SELECT last FROM losses WHERE {_PLACE} AND first = ?"  # noqa: S608
        known = self._db.execute(query, place).fetchone()
        more = loss.last - (known[0] if known else loss.first - 1)
        if more <= 0:
            return
        row = sealed(*place, loss.last, loss.reason, loss.from_ns, loss.to_ns)
        self._db.execute("INSERT OR REPLACE INTO losses VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        self._add(f"lost_{loss.reason}_{stream}", more)

    def _add(self, name: str, count: int) -> None:
        row = sealed(name, self.counters().get(name, 0) + count)
        self._db.execute("INSERT OR REPLACE INTO counters VALUES (?, ?, ?)", row)

    def _raise(self, name: str, version: int) -> None:
        row = sealed(name, max(version, self.floor(name)))
        self._db.execute("INSERT OR REPLACE INTO floors VALUES (?, ?, ?)", row)

    def _epoch(self, place: tuple[Stream, str]) -> list[EpochRow]:
        return [EpochRow(*row) for row in self._read(f"{_EPOCHS} WHERE {_PLACE}", place)]

    def _commands(self, identity: str) -> list[tuple[Any, ...]]:
        return self._read(f"{_INBOX} WHERE id = ?", (identity,))

    def _put(self, row: EpochRow) -> None:
        values = sealed(row.stream, row.epoch, row.acked, row.last)[2:]
        statement = f"UPDATE epochs SET acked = ?, last = ?, crc = ? WHERE {_PLACE}"  # noqa: S608
        self._db.execute(statement, (*values, row.stream, row.epoch))

    def _examine(self, *, mark: bool) -> None:
        """Look through the whole file: it is small, and much hangs on it. ``mark`` may write the version."""
        with refusals("read", self._path):
            found = self._db.execute("PRAGMA integrity_check(1)").fetchone()[0]
        if found != "ok":
            raise damaged(self._path, " ".join(found.split()))
        try:
            self.epochs(), self.losses(), self.floor(""), self._read(_INBOX)
            for table in custody.SELECTS:
                self.custody.rows(table)
            if mark and MARK not in self.counters():
                self.add(MARK, FORMAT.version)
        except sqlite3.OperationalError as error:  # a flipped bit can rename a column
            raise damaged(self._path, str(error)) from error

    def _read(self, query: str, values: tuple[object, ...] = ()) -> list[tuple[Any, ...]]:
        return read_sealed(self._db, self._path, query, values)

    def _write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        with refusals("write", self._path), transaction(self._db):
            self._db.executemany(statement, rows)


def is_ours(path: Path) -> bool:
    """Whether a file that says to be of another kind or version is of this one, by a row inside it."""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as db:
            row = db.execute("SELECT name, value, crc FROM counters WHERE name = ?", (MARK,)).fetchone()
    except (sqlite3.Error, UnicodeDecodeError):
        return False
    return row is not None and tuple(row) == sealed(MARK, FORMAT.version)
