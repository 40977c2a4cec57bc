"""The records of a data folder as tables that take any SQL, in bounded memory."""

from __future__ import annotations

import re
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.cli.querying import rows
from agent.cli.querying.tables import TABLES, Reader
from agent.store.inspect import count, segment_files
from agent.store.queries import Scratch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from agent.blocks import Stream

_COLUMNS = {
    "results": rows.RESULTS,
    "alerts": rows.RESULTS,
    "rule_events": rows.RULE_EVENTS,
    "metrics": rows.METRICS,
    "ledger": rows.LEDGER,
}
_BATCH = 2000
_QUIET_S = 1.0
_EVERY_S = 0.2
_COUNT = re.compile(r"\bcount\s*\(\s*\*\s*\)", re.IGNORECASE)
_TOLD = re.compile(r"\*|\bnatural\b|\bpragma", re.IGNORECASE)
_WORD = re.compile(r"\w+")


class Tables:
    """The tables, filled with what a query needs.

    Only tables and columns that the query can mean are filled: a name that does not stand in it is not used,
    unless there is a ``*`` for all of them.

    Args:
        reader: gives the records; its counts are kept up.
        sql: the query.
    """

    def __init__(self, reader: Reader, sql: str) -> None:
        self._reader = reader
        words = {word.lower() for word in _WORD.findall(sql)}
        self._tables = [name for name in _COLUMNS if name in words]
        everything = _TOLD.search(_COUNT.sub("", sql)) is not None
        self._columns = {
            name: [one for one in columns if everything or one in words] or ["seq"]
            for name, columns in _COLUMNS.items()
        }
        self._waiting: dict[str, list[rows.Row]] = {name: [] for name in self._tables}
        self._progress = _Progress(sum(count(one)[1] for one in segment_files(reader.folder)))
        self._scratch = Scratch()
        self.db = self._scratch.db
        """For the query."""

    def fill(self, most: int) -> None:
        """Read the newest ``most`` records of each stream; from then on the tables can only be read.

        Raises:
            AgentError: there is no room for the temporary file.
        """
        for name, columns in _COLUMNS.items():
            self._scratch.create(name, columns)
        try:
            self._fill(most)
        finally:
            self._progress.end()
        self._scratch.finish()

    def close(self) -> None:
        """Throw them away."""
        self._scratch.close()

    def _fill(self, most: int) -> None:
        for stream in self._reader.wanted.streams:
            if {TABLES[stream], "ledger", "rule_events"} & {*self._tables}:
                self._read(stream, most)
        for name in self._tables:
            self._insert(name)

    def _read(self, stream: Stream, most: int) -> None:
        reader = self._reader
        columns = self._columns[TABLES[stream]]
        part = Reader(reader.folder, replace(reader.wanted, streams=(stream,)), columns=columns)
        for file, block, content in part.blocks(newest_first=True):
            for name, found in part.tables_of(file, block, content).items():
                if name in self._waiting:
                    self._waiting[name] += found
                    if len(self._waiting[name]) >= _BATCH:
                        self._insert(name)
            self._progress.more(block.count)
            most -= block.count
            if most <= 0:
                of_stream = [one for one in segment_files(reader.folder) if one.name.stream == stream]
                reader.left_out += max(0, sum(count(one)[1] for one in of_stream) - part.seen)
                break
        reader.damaged += part.damaged

    def _insert(self, name: str) -> None:
        columns = self._columns[name]
        self._scratch.insert(name, columns, _values(self._waiting[name], columns))
        self._waiting[name] = []


def _values(found: Iterable[Mapping[str, object]], columns: Sequence[str]) -> Iterable[tuple[object, ...]]:
    return (tuple(row[column] for column in columns) for row in found)


class _Progress:
    """A line on a terminal, when it takes more than a moment."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._done = 0
        self._next = time.monotonic() + _QUIET_S
        self._shown = False

    def more(self, records: int) -> None:
        """Count records that were read."""
        self._done += records
        if (now := time.monotonic()) >= self._next and sys.stderr.isatty():
            self._next, self._shown = now + _EVERY_S, True
            print(f"\rread {self._done:,} of {self._total:,} records", end="", file=sys.stderr, flush=True)

    def end(self) -> None:
        """Take the line away."""
        if self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
