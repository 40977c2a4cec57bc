"""state.db: which epochs there are, in order, and how far each has been acknowledged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.store.database import Format, open_database, refusals, transaction

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence
    from pathlib import Path

FORMAT = Format(
    kind=int.from_bytes(b"EAst"),
    version=1,
    schema=(
        """
        CREATE TABLE epochs (
            n INTEGER PRIMARY KEY, epoch TEXT NOT NULL UNIQUE, stream TEXT NOT NULL,
            acked INTEGER NOT NULL DEFAULT 0, last INTEGER
        ) STRICT
        """,
    ),
)


@dataclass(frozen=True, slots=True)
class EpochRow:
    """What is kept of one epoch.

    Attributes:
        epoch: 16 hex digits.
        stream: the stream that it belongs to.
        acked: the collector has stored everything up to here.
        last: its last sequence number; None while it is being written.
    """

    epoch: str
    stream: str
    acked: int = 0
    last: int | None = None


class State:
    """The open state file. Each method that writes has made its change durable when it returns.

    Raises:
        StoreBusy: by every method; the disk refuses for now and nothing has changed.
        FolderUnusable: the file is damaged, or of another version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db: sqlite3.Connection = open_database(path, FORMAT)

    def epochs(self) -> list[EpochRow]:
        """Every epoch, oldest first."""
        with refusals("read", self._path):
            rows = self._db.execute("SELECT epoch, stream, acked, last FROM epochs ORDER BY n").fetchall()
        return [EpochRow(*row) for row in rows]

    def begin(self, epochs: Iterable[EpochRow]) -> None:
        """Add epochs after all others, in this order."""
        rows = [(row.epoch, row.stream, row.acked, row.last) for row in epochs]
        self._write("INSERT INTO epochs (epoch, stream, acked, last) VALUES (?, ?, ?, ?)", rows)

    def end(self, epoch: str, last: int) -> None:
        """Say that ``epoch`` is written no more and what its last sequence number is."""
        self._write("UPDATE epochs SET last = ? WHERE epoch = ?", [(last, epoch)])

    def acknowledge(self, epoch: str, upto: int) -> None:
        """Move the cursor of ``epoch``; it never moves back."""
        self._write("UPDATE epochs SET acked = max(acked, ?) WHERE epoch = ?", [(upto, epoch)])

    def forget(self, epochs: Iterable[str]) -> None:
        """Drop epochs that hold nothing any more."""
        self._write("DELETE FROM epochs WHERE epoch = ?", [(epoch,) for epoch in epochs])

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._db.close()

    def _write(self, statement: str, rows: Sequence[tuple[object, ...]]) -> None:
        with refusals("write", self._path), transaction(self._db):
            self._db.executemany(statement, rows)
