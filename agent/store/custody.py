"""What state.db keeps as rows: slots, verdicts, proved documents, the audit log, tunings, commands.

The audit log is bounded: beyond ``MOST_ENTRIES`` the oldest entry goes. The hash of the last one that went
stays, in a row without a body, so that the first one that is there can still be proved to follow it.
"""

from __future__ import annotations

from dataclasses import astuple, fields, replace
from typing import TYPE_CHECKING, Any

from agent.slots import CommandRow, Note, SlotRow, Tuning, Verdict, entry_after
from agent.store.seals import read_sealed, sealed

if TYPE_CHECKING:
    import sqlite3
    from pathlib import Path

    from agent.slots import Change


def _named(kind: type[SlotRow | Verdict | Tuning | CommandRow]) -> str:
    return ", ".join(field.name for field in fields(kind))


SCHEMA_3 = (
    """
    CREATE TABLE slots (
        pipeline TEXT, slot TEXT, bundle TEXT NOT NULL, name TEXT NOT NULL, version TEXT NOT NULL,
        state TEXT NOT NULL, generation INTEGER NOT NULL, strikes INTEGER NOT NULL, risky TEXT NOT NULL,
        reason TEXT NOT NULL, crc INTEGER NOT NULL, PRIMARY KEY (pipeline, slot)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE verdicts (
        n INTEGER PRIMARY KEY, pipeline TEXT NOT NULL, bundle TEXT NOT NULL, name TEXT NOT NULL,
        version TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, generation INTEGER NOT NULL,
        crc INTEGER NOT NULL, UNIQUE (pipeline, bundle)
    ) STRICT
    """,
    """
    CREATE TABLE documents (
        name TEXT PRIMARY KEY, body BLOB NOT NULL, crc INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE audit (
        seq INTEGER PRIMARY KEY, body BLOB, hash TEXT NOT NULL, crc INTEGER NOT NULL
    ) STRICT
    """,
)
"""What release 3 knew."""
SCHEMA_4 = (
    """
    CREATE TABLE tuned (
        n INTEGER PRIMARY KEY, sha256 TEXT NOT NULL, runtime TEXT NOT NULL, board TEXT NOT NULL,
        machine TEXT NOT NULL, model TEXT NOT NULL, threads INTEGER NOT NULL, xnnpack INTEGER NOT NULL,
        wall_ns INTEGER NOT NULL, figures TEXT NOT NULL, crc INTEGER NOT NULL,
        UNIQUE (sha256, runtime, board, machine)
    ) STRICT
    """,
)
SCHEMA_5 = (
    """
    CREATE TABLE commands (
        id TEXT PRIMARY KEY, seq INTEGER NOT NULL UNIQUE, key TEXT NOT NULL, op TEXT NOT NULL,
        body BLOB NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL, boot TEXT NOT NULL,
        received_ns INTEGER NOT NULL, outcome BLOB NOT NULL, told INTEGER NOT NULL, crc INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID
    """,
)
_AUDIT = "SELECT seq, body, hash, crc FROM audit"
SELECTS = {
    "slots": f"SELECT {_named(SlotRow)}, crc FROM slots ORDER BY pipeline, slot",  # noqa: S608
    "verdicts": f"SELECT {_named(Verdict)}, crc FROM verdicts ORDER BY n",  # noqa: S608
    "documents": "SELECT name, body, crc FROM documents ORDER BY name",
    "audit": f"{_AUDIT} ORDER BY seq",
    "tuned": f"SELECT {_named(Tuning)}, crc FROM tuned ORDER BY n",  # noqa: S608
    "commands": f"SELECT {_named(CommandRow)}, crc FROM commands ORDER BY seq",  # noqa: S608
}
"""What reads each of the tables; the checksum stands last."""
SINCE = {"slots": 3, "verdicts": 3, "documents": 3, "audit": 3, "tuned": 4, "commands": 5}
"""The version of the folder that each table came with."""

MOST_ENTRIES = 10_000
"""Entries of the audit log; the oldest goes first."""
MOST_VERDICTS = 1000
"""Verdicts of all pipelines; the oldest goes first."""
MOST_TUNED = 64
"""Choices of the tuner; the oldest goes first."""
MOST_COMMANDS = 512
"""Commands that are settled; the oldest goes first."""
MAX_COMMAND = 128 << 10
"""Bytes of a command, and of its outcome."""
MAX_FIGURES = 1500
"""Characters of what was measured for one."""
MAX_DOCUMENT = 256 << 10
"""Bytes of a document."""
MOST_TEXT = 1000
"""Characters of a text in a row, or in an entry of the audit log; what is longer is cut."""
_MOST_DETAILS = 32
_MOST_NUMBER = (1 << 63) - 1

Row = tuple[Any, ...]


class Custody:
    """The tables of an open state.db. What writes must be called inside a transaction.

    Args:
        db: the open file.
        path: its path, for what is said of it.
    """

    def __init__(self, db: sqlite3.Connection, path: Path) -> None:
        self._db = db
        self._path = path

    def rows(self, table: str) -> list[Row]:
        """Every row of a table, without the checksum.

        Raises:
            StoreBusy: the disk refuses for now.
            FileDamaged: it is damaged.
        """
        return read_sealed(self._db, self._path, SELECTS[table])

    def head(self) -> tuple[int, str]:
        """Number and hash of the audit log's last entry; (0, "") when there is none."""
        rows = read_sealed(self._db, self._path, f"{_AUDIT} ORDER BY seq DESC LIMIT 1")
        return (rows[0][0], rows[0][2]) if rows else (0, "")

    def apply(self, change: Change, wall_ns: int, *, synced: bool | None) -> tuple[int, str]:
        """Write all of a change but its floors; give the audit log's head. What is to go, goes first.

        Args:
            change: what is to be written.
            wall_ns: the wall clock when it was asked for, nanoseconds since 1970.
            synced: whether that is to be believed.
        """
        self._db.executemany("DELETE FROM slots WHERE pipeline = ? AND slot = ?", change.drop)
        self._db.executemany("DELETE FROM verdicts WHERE pipeline = ? AND bundle = ?", change.forget)
        for slot in change.put:
            self.insert("slots", astuple(slot), replacing=True)
        for verdict in change.verdicts:
            self.insert("verdicts", astuple(verdict), replacing=True)
        for name, body in change.documents.items():
            self.insert("documents", (name, body), replacing=True)
        if change.verdicts:
            newest = "SELECT n FROM verdicts ORDER BY n DESC LIMIT ?"
            self._db.execute(f"DELETE FROM verdicts WHERE n NOT IN ({newest})", (MOST_VERDICTS,))  # noqa: S608
        self._tune(change)
        self._command(change)
        return self._note(change.notes, wall_ns, synced=synced)

    def _tune(self, change: Change) -> None:
        key = "sha256 = ? AND runtime = ? AND board = ? AND machine = ?"
        self._db.executemany(f"DELETE FROM tuned WHERE {key}", change.untuned)  # noqa: S608
        for one in change.tuned:
            row = tuple(int(value) if isinstance(value, bool) else value for value in astuple(one))
            self.insert("tuned", row, replacing=True)
        newest = "SELECT n FROM tuned ORDER BY n DESC LIMIT ?"
        self._db.execute(f"DELETE FROM tuned WHERE n NOT IN ({newest})", (MOST_TUNED,))  # noqa: S608

    def _command(self, change: Change) -> None:
        for one in change.commands:
            row = tuple(int(value) if isinstance(value, bool) else value for value in astuple(one))
            self.insert("commands", row, replacing=True)
        if change.commands:
            settled = "SELECT id FROM commands WHERE state = 'settled' ORDER BY seq DESC LIMIT -1 OFFSET ?"
            self._db.execute(f"DELETE FROM commands WHERE id IN ({settled})", (MOST_COMMANDS,))  # noqa: S608

    def insert(self, table: str, row: Row, *, replacing: bool = False) -> None:
        """Add a row, sealed; one that is there stays, unless it is to be replaced."""
        columns = SELECTS[table].removeprefix("SELECT ").partition(" FROM")[0]
        how = "REPLACE" if replacing else "IGNORE"
        marks = ", ".join("?" * (len(row) + 1))
        statement = f"INSERT OR {how} INTO {table} ({columns}) VALUES ({marks})"  # noqa: S608
        self._db.execute(statement, sealed(*row))

    def _note(self, notes: tuple[Note, ...], wall_ns: int, *, synced: bool | None) -> tuple[int, str]:
        seq, before = self.head()
        for note in notes:
            entry = entry_after(seq + 1, before, note, wall_ns, synced=synced)
            self.insert("audit", (entry.seq, entry.body, entry.hash))
            seq, before = entry.seq, entry.hash
        if notes and seq > MOST_ENTRIES:
            self._prune(seq - MOST_ENTRIES)
        return seq, before

    def _prune(self, last: int) -> None:
        """Let the entries up to ``last`` go; its hash stays."""
        for seq, _, found in read_sealed(self._db, self._path, f"{_AUDIT} WHERE seq = ?", (last,)):
            self.insert("audit", (seq, None, found), replacing=True)
        self._db.execute("DELETE FROM audit WHERE seq < ?", (last,))


def fitted(change: Change) -> Change:
    """Give a change as the store takes it: texts for people are cut to their bounds.

    Raises:
        ValueError: a document is too large, or a number does not fit; whoever asks has a bug.
        TypeError: JSON does not hold what a note says; likewise.
    """
    for name, body in change.documents.items():
        if len(body) > MAX_DOCUMENT:
            raise ValueError(f"the document {name!r} has {len(body)} bytes, {MAX_DOCUMENT} are the most")
    for one in change.tuned:
        if len(one.figures) > MAX_FIGURES:
            raise ValueError(f"the figures of {one.model!r} are too long")
    for command in change.commands:
        if max(len(command.body), len(command.outcome)) > MAX_COMMAND:
            raise ValueError(f"the command {command.id!r} is too large")
    numbers = [row.generation for row in change.put] + [one.generation for one in change.verdicts]
    numbers += [*change.floors.values(), *(one.wall_ns for one in change.tuned)]
    numbers += [number for one in change.commands for number in (one.seq, one.received_ns, one.attempts)]
    if not all(0 <= number <= _MOST_NUMBER for number in numbers):
        raise ValueError("a version or a generation is out of range")
    notes = tuple(_fitted(note) for note in change.notes)
    for note in notes:
        entry_after(1, "", note, 0, synced=None)
    return replace(
        change,
        put=tuple(replace(row, reason=_cut(row.reason)) for row in change.put),
        verdicts=tuple(replace(one, reason=_cut(one.reason)) for one in change.verdicts),
        notes=notes,
        tuned=tuple(replace(one, model=_cut(one.model)) for one in change.tuned),
    )


def _fitted(note: Note) -> Note:
    details = list(note.detail.items())[:_MOST_DETAILS]
    cut = {_cut(key): _cut(value) if isinstance(value, str) else value for key, value in details}
    return Note(_cut(note.kind), _cut(note.subject), cut)


def _cut(text: str) -> str:
    """What SQLite and JSON take, too: file names may hold bytes that are no text."""
    return text[:MOST_TEXT].encode(errors="replace").decode()
