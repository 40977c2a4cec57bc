"""A damaged state.db is set aside and made anew: what the agent must not forget is taken over row by row.

Epochs and cursors are not: what is on disk is sent again, and the collector drops duplicates. A floor that
cannot be read is gone, and the counter ``floors_lost`` tells whoever relies on floors; ``models_lost`` counts
likewise for models, verdicts, documents and the audit log, in which the break stays to be seen.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from agent.clock import SystemClock
from agent.events import Event, emit
from agent.files import NEW, sync_folder
from agent.slots import Change, Note
from agent.sqlite import LOG_PAGES, refusals, remove_database
from agent.store import repair
from agent.store.custody import fitted
from agent.store.rescue import rescued
from agent.store.state import State

if TYPE_CHECKING:
    from pathlib import Path

    from agent.errors import FileDamaged
    from agent.store.rescue import Rescued

REBUILT, FLOORS_LOST, MODELS_LOST = "state_rebuilt", "floors_lost", "models_lost"
"""Counters: how often state.db was made anew, and how often it is not certain that every floor came along, or
every row of the models and of the audit log."""


def rebuilt(path: Path, error: FileDamaged, log_pages: int = LOG_PAGES, *, noted: bool = True) -> State:
    """Set a damaged state.db aside and give a new one, with what can still be read of what must be kept.

    Args:
        path: the file.
        error: what is wrong with it.
        log_pages: pages at which SQLite folds the new one's log in.
        noted: whether the audit log is to say so.

    Raises:
        StoreBusy: the disk refuses for now.
    """
    found = rescued(path)
    emit(
        Event.STATE_REBUILT,
        str(path),
        problem=error.problem,
        floors=len(found.floors),
        floors_certain=found.floors_certain,
        models_certain=found.models_certain,
    )
    new = _new(path)
    with refusals("make anew", path):
        remove_database(new)
    with closing(State(new)) as state:
        _take_over(state, found)
        if noted:
            _note(state, path.name, error, found)
    with refusals("set aside", path):
        if path.exists():
            repair.set_aside(path)
        new.rename(path)
        sync_folder(path.parent)
    return State(path, log_pages)


def finish(path: Path) -> None:
    """Finish or undo what a crash interrupted: the new file takes the place of the one that was set aside.

    Raises:
        StoreBusy: the disk refuses for now.
    """
    new = _new(path)
    with refusals("make anew", path):
        if not new.exists():
            return
        if path.exists():
            remove_database(new)
        else:
            remove_database(path)  # a log that the old one has left would be taken for the new one's
            sync_folder(path.parent)
            new.rename(path)
            sync_folder(path.parent)


def newest(path: Path) -> Path:
    """The file that ``finish`` would leave at ``path``."""
    return _new(path) if not path.exists() and _new(path).exists() else path


def _new(path: Path) -> Path:
    return path.with_name(f"{path.name}{NEW}")


def _note(state: State, name: str, error: FileDamaged, found: Rescued) -> None:
    detail: dict[str, str | bool] = {
        "problem": error.problem,
        "floors_certain": found.floors_certain,
        "models_certain": found.models_certain,
    }
    clock = SystemClock()
    change = fitted(Change(notes=(Note("state.rebuilt", name, detail),)))
    state.change(change, clock.wall_ns(), synced=clock.synced())


def _take_over(state: State, found: Rescued) -> None:
    state.restore(found.floors, found.tables)
    known = state.counters()
    lost = {REBUILT: 1, FLOORS_LOST: not found.floors_certain, MODELS_LOST: not found.models_certain}
    for name in (found.counters.keys() | lost) - known.keys():
        if count := found.counters.get(name, 0) + lost.get(name, 0):
            state.add(name, count)
