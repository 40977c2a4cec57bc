"""Models' rows in state.db: what a change does to them, against a plain model, with ends in between."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from agent.errors import FileDamaged, StoreBusy
from agent.slots import (
    SLOTS,
    Change,
    CommandRow,
    Kept,
    Note,
    Slot,
    SlotRow,
    Tuning,
    TuningKey,
    Verdict,
    entry_after,
)
from agent.store import custody
from agent.store.custody import fitted
from agent.store.kept import read_kept
from agent.store.state import State
from tests.simulators.keeping import ACTIVE, CANDIDATE, CHANGE, KEPT, WALL

if TYPE_CHECKING:
    from collections.abc import Iterator

PIPELINES = st.sampled_from(["door", "gate", "pump"])
BUNDLES = st.sampled_from(["a" * 64, "b" * 64, ""])
NUMBERS = st.integers(0, 2**53 - 1)
WORDS = st.text(max_size=12)
SLOT_NAMES: st.SearchStrategy[Slot] = st.sampled_from(SLOTS)
ROWS = st.builds(
    SlotRow, PIPELINES, SLOT_NAMES, BUNDLES, WORDS, WORDS, WORDS, NUMBERS, st.integers(0, 3), WORDS, WORDS
)
VERDICTS = st.builds(Verdict, PIPELINES, BUNDLES, WORDS, WORDS, WORDS, WORDS, NUMBERS)
DETAILS = st.dictionaries(WORDS, WORDS | NUMBERS | st.booleans() | st.none() | st.floats(), max_size=3)
KEYS = st.tuples(BUNDLES, st.sampled_from(["litert 2", "tflite 2"]), st.just("pi"), st.just("a board"))
TUNINGS = st.builds(
    lambda key, *rest: Tuning(*key, *rest),
    KEYS,
    WORDS,
    st.integers(1, 16),
    st.booleans(),
    NUMBERS,
    WORDS,
)
COMMANDS = st.builds(
    lambda seq, *rest: CommandRow(f"command-{seq}", seq, *rest),
    st.integers(1, 5),
    WORDS,
    WORDS,
    st.binary(max_size=40),
    st.sampled_from(["waiting", "running", "settled"]),
    st.integers(0, 3),
    WORDS,
    NUMBERS,
    st.binary(max_size=40),
    st.booleans(),
)
CHANGES = st.builds(
    Change,
    st.lists(ROWS, max_size=3).map(tuple),
    st.lists(st.tuples(PIPELINES, SLOT_NAMES), max_size=2).map(tuple),
    st.lists(VERDICTS, max_size=3).map(tuple),
    st.lists(st.tuples(PIPELINES, BUNDLES), max_size=2).map(tuple),
    st.dictionaries(st.sampled_from(["clock", "desired", "tuf/root"]), NUMBERS, max_size=3),
    st.dictionaries(st.sampled_from(["desired", "keys"]), st.binary(max_size=40), max_size=2),
    st.lists(st.builds(Note, WORDS, WORDS, DETAILS), max_size=3).map(tuple),
    st.lists(TUNINGS, max_size=3).map(tuple),
    st.lists(KEYS, max_size=2).map(tuple),
    st.lists(COMMANDS, max_size=3).map(tuple),
)


class Plain:
    """What a change does, with dictionaries."""

    def __init__(self) -> None:
        self.slots: dict[tuple[str, str], SlotRow] = {}
        self.verdicts: dict[tuple[str, str], Verdict] = {}
        self.floors: dict[str, int] = {}
        self.documents: dict[str, bytes] = {}
        self.audit = (0, "")
        self.tuned: dict[TuningKey, Tuning] = {}
        self.commands: dict[str, CommandRow] = {}

    def change(self, change: Change, wall_ns: int, *, synced: bool | None) -> tuple[int, str]:
        for place in change.drop:
            self.slots.pop(place, None)
        for key in change.forget:
            self.verdicts.pop(key, None)
        self.slots |= {(row.pipeline, row.slot): row for row in change.put}
        for verdict in change.verdicts:
            self.verdicts.pop((verdict.pipeline, verdict.bundle), None)
            self.verdicts[verdict.pipeline, verdict.bundle] = verdict
        for name, version in change.floors.items():
            self.floors[name] = max(version, self.floors.get(name, 0))
        self.documents |= change.documents
        for choice in change.untuned:
            self.tuned.pop(choice, None)
        for tuning in change.tuned:
            self.tuned.pop(tuning.key, None)
            self.tuned[tuning.key] = tuning
        self.commands |= {row.id: row for row in change.commands}
        for note in change.notes:
            entry = entry_after(self.audit[0] + 1, self.audit[1], note, wall_ns, synced=synced)
            self.audit = entry.seq, entry.hash
        return self.audit

    def kept(self) -> Kept:
        slots = sorted(self.slots.items())
        return Kept(
            tuple(row for _, row in slots),
            tuple(self.verdicts.values()),
            self.floors,
            self.documents,
            self.audit,
            tuple(self.tuned.values()),
            tuple(sorted(self.commands.values(), key=lambda row: row.seq)),
        )


class Keeping(RuleBasedStateMachine):
    """Changes, refusals, restarts and kills: what is kept is what was reported as durable."""

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(dir="/dev/shm" if Path("/dev/shm").is_dir() else None))
        self.state = State(self.folder / "state.db")
        self.plain = Plain()

    @rule(change=CHANGES, wall_ns=NUMBERS, synced=st.sampled_from([True, False, None]))
    def change(self, change: Change, wall_ns: int, synced: bool | None) -> None:
        change = fitted(change)
        expected = self.plain.change(change, wall_ns, synced=synced)
        assert self.state.change(change, wall_ns, synced=synced) == expected

    @rule(change=CHANGES)
    def is_refused(self, change: Change) -> None:
        with closing(sqlite3.connect(self.folder / "state.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreBusy):
                self.state.change(fitted(change), 0, synced=None)

    @rule()
    def starts_again(self) -> None:
        self.state.close()
        self.state = State(self.folder / "state.db")

    @rule()
    def is_killed(self) -> None:
        """What a dead process leaves: the file and its log, as they stand."""
        copy = self.folder.with_name(f"{self.folder.name}-copy")
        shutil.copytree(self.folder, copy)
        self.state.close()
        shutil.rmtree(self.folder)
        copy.rename(self.folder)
        self.state = State(self.folder / "state.db")

    @invariant()
    def what_is_kept_is_what_was_written(self) -> None:
        assert read_kept(self.folder) == self.plain.kept()

    def teardown(self) -> None:
        self.state.close()
        shutil.rmtree(self.folder)


TestKeeping = Keeping.TestCase
TestKeeping.settings = settings(max_examples=25, stateful_step_count=12, deadline=None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def state(path: Path) -> Iterator[State]:
    with closing(State(path)) as made:
        yield made


def changed(state: State, change: Change) -> tuple[int, str]:
    return state.change(change, WALL, synced=True)


def test_a_change_is_kept_whole(state: State, tmp_path: Path) -> None:
    assert read_kept(tmp_path) == Kept()
    assert changed(state, CHANGE) == KEPT.audit
    assert read_kept(tmp_path) == KEPT


def test_a_change_that_fails_half_way_changes_nothing(state: State, tmp_path: Path) -> None:
    changed(state, CHANGE)
    broken = Change(put=(replace(ACTIVE, strikes=2),), notes=(Note("x", "y"),), documents={"keys": None})  # type: ignore[dict-item]
    with pytest.raises(sqlite3.IntegrityError):
        changed(state, broken)
    assert read_kept(tmp_path) == KEPT


def test_a_candidate_becomes_active_in_one_change(state: State, tmp_path: Path) -> None:
    changed(state, CHANGE)
    active = replace(CANDIDATE, slot="active", state="active", risky="")
    previous = replace(ACTIVE, slot="previous")
    changed(state, Change(put=(active, previous), drop=(("door", "candidate"),)))
    assert read_kept(tmp_path).slots == (active, previous)


def test_floors_do_not_fall(state: State, tmp_path: Path) -> None:
    changed(state, CHANGE)
    changed(state, Change(floors={"tuf/root": 2, "desired": 1}))
    assert read_kept(tmp_path).floors == {**KEPT.floors, "desired": 1}


@pytest.mark.parametrize("table", custody.SELECTS)
def test_a_row_with_a_flipped_bit_is_noticed(state: State, path: Path, table: str) -> None:
    changed(state, CHANGE)
    column = {"audit": "body", "documents": "body", "tuned": "model", "commands": "op"}.get(table, "reason")
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        kind = db.execute(f"SELECT typeof({column}) FROM {table} LIMIT 1").fetchone()[0]  # noqa: S608
        db.execute(f"UPDATE {table} SET {column} = CAST({column} || 'x' AS {kind})")  # noqa: S608
    with pytest.raises(FileDamaged, match="checksum"):
        State(path)


def test_every_slot_has_a_name_that_the_contract_knows() -> None:
    assert get_args(Slot) == SLOTS
