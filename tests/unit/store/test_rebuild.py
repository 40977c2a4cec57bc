"""A damaged state.db: what of it is taken over into the new one."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from agent.errors import FileDamaged
from agent.store.rebuild import FLOORS_LOST, REBUILT, rebuilt
from agent.store.state import EpochRow, State

if TYPE_CHECKING:
    from pathlib import Path

FLOORS = {f"role-{n}": n + 1 for n in range(60)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "state.db"
    with closing(State(path)) as state:
        state.begin([EpochRow("result", "0123456789abcdef", 7)])
        state.add("purged", 5)
        for name, version in FLOORS.items():
            state.raise_floor(name, version)
    return path


def after(path: Path) -> State:
    """Open it; make it anew when it is damaged."""
    try:
        return State(path)
    except FileDamaged as error:
        return rebuilt(path, error)


def test_floors_and_counters_survive_a_damaged_cursor(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE epochs SET acked = 8")
    with closing(after(path)) as state:
        assert {name: state.floor(name) for name in FLOORS} == FLOORS
        assert state.epochs() == []
        counters = state.counters()
    assert (counters["purged"], counters[REBUILT], counters.get(FLOORS_LOST)) == (5, 1, None)
    assert [one.name for one in (path.parent / "quarantine").iterdir()] == ["state.0.db"]


def test_a_floor_that_cannot_be_read_is_never_forgotten_in_silence(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE floors SET version = 1 WHERE name = 'role-9'")
    with closing(after(path)) as state:
        assert state.floor("role-9") == 0
        assert state.floor("role-8") == 9
        assert state.counters()[FLOORS_LOST] == 1


def test_no_flipped_bit_lowers_a_floor_in_silence(path: Path, tmp_path: Path) -> None:
    whole = path.read_bytes()
    noise = random.Random(11)
    fates = []
    for n in range(150):
        folder = tmp_path / str(n)
        folder.mkdir()
        data = bytearray(whole)
        place = noise.randrange(len(data) * 8)
        data[place // 8] ^= 1 << place % 8
        (folder / "state.db").write_bytes(data)
        with closing(after(folder / "state.db")) as state:
            floors = {name: state.floor(name) for name in FLOORS}
            counters = state.counters()
        assert floors == FLOORS or counters[FLOORS_LOST] == 1, place
        fates.append((REBUILT in counters, FLOORS_LOST in counters))
    assert {(False, False), (True, True)} <= set(fates)
