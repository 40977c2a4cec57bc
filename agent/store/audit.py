"""Read the audit log of a data folder and prove its chain, beside a running agent; nothing is written.

Each entry's hash covers its content and the hash before it, so whatever was changed, taken out or put in
between shows at one entry. What is missing at the end shows only against a head that was noted elsewhere.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import orjson

from agent.errors import FileDamaged, FolderUnusable
from agent.slots import AuditEntry
from agent.store.custody import SELECTS
from agent.store.inspect import of_another_version, read_only
from agent.store.seals import is_sound
from agent.store.state import FORMAT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.store.custody import Row

_HASH = re.compile("[0-9a-f]{64}")
MOST_FINDINGS = 20
"""What is told of a broken chain; the rest is like it."""
_LAST = "SELECT seq, body, hash, crc FROM audit WHERE body IS NOT NULL ORDER BY seq DESC LIMIT ?"


@dataclass(frozen=True, slots=True)
class Chain:
    """What the log's chain proves.

    Attributes:
        entries: how many are there.
        first: number of the first one, 0 when there is none.
        seq: number of the last one, 0 when there is none.
        hash: the last one's hash, 64 hex digits; "" when there is none.
        findings: what is wrong, a sentence each; empty when all is well.
    """

    entries: int
    first: int
    seq: int
    hash: str
    findings: tuple[str, ...]


def newest_entries(folder: Path, most: int) -> tuple[list[AuditEntry], int]:
    """Give the last entries, oldest first, and how many of those are damaged and left out.

    Raises:
        StoreBusy: the log cannot be read for now.
        FolderUnusable: the folder is not there, damaged, or of another version.
    """
    with _log(folder) as db:
        rows = list(db.execute(_LAST, (most,))) if db else []
    entries = [AuditEntry(*row[:-1]) for row in reversed(rows) if is_sound(row)]
    return entries, len(rows) - len(entries)


def proved(folder: Path, head: tuple[int, str] | None = None) -> Chain:
    """Follow the chain from the first entry to the last.

    Args:
        folder: the data folder.
        head: number and hash of an entry as the device once reported them: it must still be in the chain.

    Raises:
        StoreBusy: the log cannot be read for now.
        FolderUnusable: the folder is not there, or of another version.
    """
    walk = _Walk(head)
    try:
        with _log(folder) as db:
            for row in db.execute(SELECTS["audit"]) if db else ():
                walk.step(row)
    except FileDamaged as error:
        walk.findings.append(f"state.db: {error.problem}")
    return walk.end()


class _Walk:
    """Takes the rows in order."""

    def __init__(self, head: tuple[int, str] | None) -> None:
        self.findings: list[str] = []
        self._head = head
        self._found: str | None = None
        """The hash of the entry that ``head`` names."""
        self._first = self._entries = 0
        self._seq, self._hash = 0, ""

    def step(self, row: Row) -> None:
        seq, body, found, _ = row
        if not (is_sound(row) and _HASH.fullmatch(found)):
            self.findings.append(f"entry {seq}: it is damaged, its checksum does not hold")
        elif body is None:
            if self._seq:
                self.findings.append(f"entry {seq}: its content is gone, that of older ones is not")
        else:
            self._judge(AuditEntry(seq, body, found))
        if body is not None:
            self._entries += 1
            self._first = self._first or seq
        self._seq, self._hash = seq, found if _HASH.fullmatch(found) else ""
        if self._head and self._head[0] == seq:
            self._found = found

    def _judge(self, entry: AuditEntry) -> None:
        if entry.seq != self._seq + 1:
            missing = f"entries {self._seq + 1} to {entry.seq - 1} are missing"
            self.findings.append(f"entry {entry.seq}: it follows nothing that is here, {missing}")
        elif not entry.follows(self._hash):
            self.findings.append(
                f"entry {entry.seq}: its hash is not that of its content and the hash before"
            )
        if _number(entry.body) != entry.seq:
            self.findings.append(f"entry {entry.seq}: its content is that of another one")

    def end(self) -> Chain:
        if self._head is not None:
            self._compare(*self._head)
        told = [*islice(self.findings, MOST_FINDINGS)]
        if more := len(self.findings) - len(told):
            told.append(f"and {more} more")
        return Chain(self._entries, self._first, self._seq, self._hash, tuple(told))

    def _compare(self, seq: int, wanted: str) -> None:
        if seq > self._seq:
            self.findings.append(f"the log ends at entry {self._seq}: once it had {seq}, the rest is gone")
        elif self._found is None:
            self.findings.append(f"entry {seq}: it is not kept any more, nothing can be said of that head")
        elif self._found != wanted:
            self.findings.append(f"entry {seq}: once its hash was another one, the log was written anew")


def _number(body: bytes) -> object:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return found.get("seq") if isinstance(found, dict) else None


@contextmanager
def _log(folder: Path) -> Iterator[sqlite3.Connection | None]:
    """Open state.db for reading; None when it is not there, or was only begun."""
    path = folder / "state.db"
    if not folder.is_dir():
        hint = "The agent makes it when it runs; or name another: --folder DIR, or --config FILE"
        raise FolderUnusable("look into", str(folder), "there is no such folder", hint)
    try:
        with read_only(path) as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version not in {0, FORMAT.version}:
                raise of_another_version(path, version)
            yield db if version else None
    except FileNotFoundError:
        yield None
    except sqlite3.Error as error:  # a flipped bit can rename a table
        raise FileDamaged("read", str(path), f"it is damaged: {error}") from error
