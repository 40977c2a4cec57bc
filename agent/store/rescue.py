"""What can be read of a state.db, sound or damaged: the rows whose checksum holds."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from agent.errors import AgentError
from agent.store.custody import SELECTS
from agent.store.inspect import read_only
from agent.store.seals import is_sound

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from agent.store.custody import Row

_FLOORS = "SELECT name, version, crc FROM floors"
_COUNTERS = "SELECT name, value, crc FROM counters"


@dataclass(frozen=True, slots=True)
class Rescued:
    """What was found.

    Attributes:
        floors: versions by name.
        counters: counts by name.
        tables: the rows of each of ``custody``'s tables, without their checksums; a table that the file does
            not have is left out.
        floors_certain: whether those are all the floors that there were.
        models_certain: whether those are all the rows of ``tables`` that there were.
    """

    floors: Mapping[str, int] = field(default_factory=dict)
    counters: Mapping[str, int] = field(default_factory=dict)
    tables: Mapping[str, list[Row]] = field(default_factory=dict)
    floors_certain: bool = False
    models_certain: bool = False


def rescued(path: Path) -> Rescued:
    """Read what can be read; of a file that cannot be read at all, or is not there, that is nothing."""
    floors, floors_certain = _rows(path, _FLOORS)
    counters, _ = _rows(path, _COUNTERS)
    tables: dict[str, list[Row]] = {}
    certain = True
    for table, query in SELECTS.items():
        tables[table], whole = _rows(path, query)
        certain = certain and whole
    return Rescued(dict(floors), dict(counters), tables, floors_certain, certain)


def _rows(path: Path, query: str) -> tuple[list[Row], bool]:
    """The rows whose checksum holds, and whether those are all that there were."""
    rows: list[tuple[Any, ...]] = []
    try:
        with read_only(path) as db:
            rows.extend(db.execute(query))  # what came before an error stays
            certain = db.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok"
    except (AgentError, OSError, sqlite3.Error):
        certain = False
    sound = [row[:-1] for row in rows if is_sound(row)]
    return sound, certain and len(sound) == len(rows)
