"""What can be read of a state.db, sound or damaged: the rows whose checksum holds."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agent.errors import AgentError
from agent.store.custody import SELECTS, SINCE
from agent.store.inspect import read_only
from agent.store.seals import is_sound

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from agent.store.custody import Row

_FLOORS = "SELECT name, version, crc FROM floors"
_COUNTERS = "SELECT name, value, crc FROM counters"
MODELS = 3
"""The version of the folder that came with models and the audit log."""
_DAMAGE = (sqlite3.Error, UnicodeDecodeError)
"""What reading a damaged file may raise."""


@dataclass(frozen=True, slots=True)
class Rescued:
    """What was found.

    Attributes:
        floors: versions by name.
        counters: counts by name.
        tables: the rows of each of ``custody``'s tables, without their checksums.
        floors_certain: whether those are all the floors that there were.
        models_certain: whether those are all the rows of models and of the audit log that there were. What
            the tuner chose is not asked for: it can be measured again. Nor are commands: floors keep them
            from being done twice, and who waits for an outcome sends another one.
    """

    floors: Mapping[str, int] = field(default_factory=dict)
    counters: Mapping[str, int] = field(default_factory=dict)
    tables: Mapping[str, list[Row]] = field(default_factory=dict)
    floors_certain: bool = False
    models_certain: bool = False


def rescued(path: Path) -> Rescued:
    """Read what can be read; of a file that cannot be read at all, or is not there, that is nothing."""
    queries = {"floors": _FLOORS, "counters": _COUNTERS, **SELECTS}
    found: dict[str, list[Row]] = {table: [] for table in queries}
    certain = dict.fromkeys(queries, False)
    try:
        with read_only(path) as db:
            intact = _intact(db)
            for table, query in queries.items():
                found[table], whole = _rows(db, query)
                certain[table] = whole and intact
    except (AgentError, OSError):
        certain = dict.fromkeys(queries, False)
    floors = {name: int(version) for name, version in found.pop("floors")}
    counters = {name: int(value) for name, value in found.pop("counters")}
    models = all(certain[table] for table, version in SINCE.items() if version == MODELS)
    return Rescued(floors, counters, found, certain["floors"], models)


def _intact(db: sqlite3.Connection) -> bool:
    try:
        return bool(db.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok")
    except _DAMAGE:
        return False


def _rows(db: sqlite3.Connection, query: str) -> tuple[list[Row], bool]:
    """The rows whose checksum holds, and whether those are all that SQLite finds."""
    rows: list[tuple[Any, ...]] = []
    try:
        rows.extend(db.execute(query))  # what came before an error stays
        whole = True
    except _DAMAGE:
        whole = False
    sound = [row[:-1] for row in rows if is_sound(row)]
    return sound, whole and len(sound) == len(rows)
