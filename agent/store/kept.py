"""What the store keeps of models and commands, read before it is started, without a lock."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.errors import FileDamaged
from agent.slots import CommandRow, Kept, SlotRow, Tuning, Verdict
from agent.store import crossing
from agent.store.custody import SINCE
from agent.store.inspect import of_another_version, read_only
from agent.store.rebuild import newest
from agent.store.rescue import rescued
from agent.store.state import FORMAT, is_ours

if TYPE_CHECKING:
    from pathlib import Path

    from agent.store.custody import Row
    from agent.store.rescue import Rescued

_KEYS = {"slots": 2, "verdicts": 2, "documents": 1, "audit": 1, "tuned": 4, "commands": 1}
"""How many columns, the first ones, tell a table's rows apart."""


def read_kept(folder: Path) -> Kept:
    """Give what is kept, as the store finds it when it has migrated or rebuilt what has to be.

    Works on a read-only disk, beside a running agent, and on a folder that is new or not there: nothing is
    kept in that. Of a damaged file it gives the rows that are sound; those are what the store goes on with.

    Raises:
        StoreBusy: it cannot be read for now.
        FolderUnusable: it is of a newer release.
    """
    crossing.check(folder)
    path = newest(folder / "state.db")
    try:
        with read_only(path) as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
    except (FileNotFoundError, FileDamaged, sqlite3.Error):
        version = 0
    if version > FORMAT.version and not is_ours(path):
        raise of_another_version(path, version)
    before = [_brought(aside) for aside in crossing.asides(folder)]
    return _merged([rescued(path), *before])


def _brought(aside: Path) -> Rescued:
    """Give what a folder that was set aside keeps of the version that it is named for, and its floors."""
    found, version = rescued(aside / "state.db"), crossing.version_of(aside)
    tables = {table: rows for table, rows in found.tables.items() if SINCE[table] == version}
    return replace(found, tables=tables)


def _merged(found: list[Rescued]) -> Kept:
    """Put together what several files tell: of a row the first one's word, of a floor the highest."""
    floors: dict[str, int] = {}
    tables: dict[str, dict[Row, Row]] = {table: {} for table in _KEYS}
    for one in found:
        for name, version in one.floors.items():
            floors[name] = max(version, floors.get(name, 0))
        for table, rows in one.tables.items():
            for row in rows:
                tables[table].setdefault(row[: _KEYS[table]], row)
    slots, verdicts, documents, audit, tuned, commands = (list(tables[table].values()) for table in _KEYS)
    seq, _, head = max(audit, key=lambda row: int(row[0]), default=(0, None, ""))
    return Kept(
        slots=tuple(SlotRow(*row) for row in sorted(slots)),
        verdicts=tuple(Verdict(*row) for row in verdicts),
        floors=floors,
        documents=dict(documents),
        audit=(seq, head),
        tuned=tuple(
            replace(kept, xnnpack=bool(kept.xnnpack)) for row in tuned if (kept := Tuning(*row)).sound
        ),
        commands=tuple(replace(CommandRow(*row), told=bool(row[-1])) for row in commands),
    )
