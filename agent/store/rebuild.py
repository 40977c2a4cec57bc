"""A damaged state.db is set aside and made anew: what the agent must not forget is taken over row by row.

Epochs and cursors are not: what is on disk is sent again, and the collector drops duplicates. A floor that
cannot be read is gone, and the counter ``floors_lost`` tells whoever relies on floors.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING, Any

from agent.errors import AgentError
from agent.events import Event, emit
from agent.sqlite import LOG_PAGES, refusals
from agent.store import repair
from agent.store.inspect import read_only
from agent.store.state import State, sealed

if TYPE_CHECKING:
    from pathlib import Path

    from agent.errors import FileDamaged

REBUILT, FLOORS_LOST = "state_rebuilt", "floors_lost"
"""Counters: how often state.db was made anew, and how often it is not certain that every floor came along."""


def rebuilt(path: Path, error: FileDamaged, log_pages: int = LOG_PAGES) -> State:
    """Set a damaged state.db aside and give a new one, with the floors and counters that can still be read.

    Args:
        path: the file.
        error: what is wrong with it.
        log_pages: pages at which SQLite folds the new one's log in.

    Raises:
        StoreBusy: the disk refuses for now.
    """
    floors, certain = _rows(path, "SELECT name, version, crc FROM floors")
    counters, _ = _rows(path, "SELECT name, value, crc FROM counters")
    emit(Event.STATE_REBUILT, str(path), problem=error.problem, floors=len(floors), floors_certain=certain)
    with refusals("set aside", path):
        repair.set_aside(path)
    state = State(path, log_pages)
    for name, version in floors.items():
        state.raise_floor(name, version)
    known = state.counters()
    for name, value in counters.items():
        if name not in known:
            state.add(name, value)
    state.add(REBUILT, 1)
    if not certain:
        state.add(FLOORS_LOST, 1)
    return state


def _rows(path: Path, query: str) -> tuple[dict[str, int], bool]:
    """The rows whose checksum holds, and whether those are all that there were."""
    rows: list[tuple[Any, ...]] = []
    try:
        with read_only(path) as db:
            rows.extend(db.execute(query))  # what came before an error stays
            certain = db.execute("PRAGMA integrity_check(1)").fetchone()[0] == "ok"
    except (AgentError, OSError, sqlite3.Error):
        certain = False
    sound = _sound(rows)
    return sound, certain and len(sound) == len(rows)


def _sound(rows: list[tuple[Any, ...]]) -> dict[str, int]:
    return {row[0]: row[1] for row in rows if sealed(*row[:-1]) == row}
