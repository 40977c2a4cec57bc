"""A damaged state.db: what of it is taken over into the new one."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from agent.errors import FileDamaged, StoreBusy
from agent.slots import Change
from agent.store.audit import newest_entries, proved
from agent.store.kept import read_kept
from agent.store.rebuild import FLOORS_LOST, MODELS_LOST, REBUILT, rebuilt
from agent.store.state import EpochRow, State
from tests.simulators.keeping import CHANGE, KEPT, NOTES, keep
from tests.simulators.outboxes import opened

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


def flipped(whole: bytes, folder: Path, noise: random.Random) -> int:
    """Write state.db into a new folder, with one bit flipped; give which."""
    folder.mkdir()
    data = bytearray(whole)
    place = noise.randrange(len(data) * 8)
    data[place // 8] ^= 1 << place % 8
    (folder / "state.db").write_bytes(data)
    return place


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


def test_a_floor_that_its_page_does_not_count_any_more_is_not_forgotten_in_silence(path: Path) -> None:
    """SQLite reads the rest without a word; only its check of the whole file tells."""
    content = bytearray(path.read_bytes())
    page = content.index(b"role-9") // 4096 * 4096
    count = int.from_bytes(content[page + 3 : page + 5])
    content[page + 3 : page + 5] = (count - 1).to_bytes(2)
    path.write_bytes(content)
    with closing(after(path)) as state:
        assert len([name for name in FLOORS if state.floor(name)]) == len(FLOORS) - 1
        assert state.counters()[FLOORS_LOST] == 1


def test_no_flipped_bit_lowers_a_floor_in_silence(path: Path, tmp_path: Path) -> None:
    whole = path.read_bytes()
    noise = random.Random(11)
    fates = []
    for n in range(150):
        folder = tmp_path / str(n)
        place = flipped(whole, folder, noise)
        with closing(after(folder / "state.db")) as state:
            floors = {name: state.floor(name) for name in FLOORS}
            counters = state.counters()
        assert floors == FLOORS or counters[FLOORS_LOST] == 1, place
        fates.append((REBUILT in counters, FLOORS_LOST in counters))
    assert {(False, False), (True, True)} <= set(fates)


def test_no_flipped_bit_changes_what_is_kept_of_models_in_silence(tmp_path: Path) -> None:
    """What is read before the start is what the store goes on with; what is gone is counted."""
    (tmp_path / "whole").mkdir()
    with closing(opened(tmp_path / "whole")) as outbox:
        keep(outbox)
    whole = (tmp_path / "whole" / "state.db").read_bytes()
    noise = random.Random(12)
    fates = []
    for n in range(150):
        folder = tmp_path / str(n)
        place = flipped(whole, folder, noise)
        before = read_kept(folder)
        with closing(after(folder / "state.db")) as state:
            counters = state.counters()
        found = read_kept(folder)
        assert (found.slots, found.verdicts) == (before.slots, before.verdicts)
        assert (found.documents, found.floors) == (before.documents, before.floors)
        assert set(found.slots) <= set(KEPT.slots)
        assert found.documents.items() <= KEPT.documents.items()
        without = replace(before, tuned=KEPT.tuned, commands=KEPT.commands)  # those that may go: see Rescued
        assert without == KEPT or MODELS_LOST in counters or FLOORS_LOST in counters, place
        if REBUILT in counters:
            assert newest_entries(folder, 1)[0][0].body.count(b"state.rebuilt") == 1
        fates.append((REBUILT in counters, MODELS_LOST in counters))
    assert {(False, False), (True, True)} <= set(fates)


def test_an_audit_log_that_came_along_whole_goes_on_and_says_that_the_state_was_made_anew(
    path: Path, tmp_path: Path
) -> None:
    with closing(State(path)) as state:
        state.change(CHANGE, 7, synced=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE epochs SET acked = 8")
    with closing(after(path)) as state:
        assert state.counters().get(MODELS_LOST) is None
    chain = proved(tmp_path)
    assert (chain.entries, chain.findings) == (len(NOTES) + 1, ())
    [entry] = newest_entries(tmp_path, 1)[0]
    assert b'"kind":"state.rebuilt"' in entry.body


def test_an_entry_that_is_lost_leaves_a_break_that_is_seen(path: Path, tmp_path: Path) -> None:
    with closing(State(path)) as state:
        for _ in range(3):
            state.change(Change(notes=NOTES), 7, synced=True)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE audit SET body = x'7b7d' WHERE seq = 3")
    with closing(after(path)) as state:
        assert state.counters()[MODELS_LOST] == 1
    chain = proved(tmp_path)
    assert (chain.seq, chain.findings) == (
        7,
        ("entry 4: it follows nothing that is here, entries 3 to 3 are missing",),
    )


def test_a_disk_that_refuses_the_new_one_leaves_the_old_one_where_it_is(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("UPDATE epochs SET acked = 8")
    before = path.read_bytes()
    new = path.with_name("state.db.new")
    new.mkdir()
    with pytest.raises(StoreBusy):
        after(path)
    assert path.read_bytes() == before
    new.rmdir()
    with closing(after(path)) as state:
        assert {name: state.floor(name) for name in FLOORS} == FLOORS
