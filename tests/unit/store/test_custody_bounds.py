"""What state.db keeps of models and commands is bounded: rows in number, texts and documents in length."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from agent.slots import Change, Note
from agent.store import custody
from agent.store.custody import MAX_COMMAND, MAX_DOCUMENT, MAX_FIGURES, MOST_TEXT, fitted
from agent.store.kept import read_kept
from agent.store.state import State
from tests.simulators.keeping import ACTIVE, CHANGE, COMMAND, NOTES, REJECTED, TUNED, WALL

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state.db"


@pytest.fixture
def state(path: Path) -> Iterator[State]:
    with closing(State(path)) as made:
        yield made


def changed(state: State, change: Change) -> tuple[int, str]:
    return state.change(change, WALL, synced=True)


def test_verdicts_are_bounded_and_the_oldest_goes(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(custody, "MOST_VERDICTS", 3)
    for n in (0, 1, 2, 3, 1, 1, 1):  # one that is passed again is new again, and costs no other
        changed(state, Change(verdicts=(replace(REJECTED, bundle=str(n)),)))
    assert [one.bundle for one in read_kept(tmp_path).verdicts] == ["2", "3", "1"]


def test_choices_of_the_tuner_are_bounded_and_the_oldest_goes(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(custody, "MOST_TUNED", 3)
    for n in (0, 1, 2, 3, 1, 1, 1):  # one that is measured again is new again, and costs no other
        changed(state, Change(tuned=(replace(TUNED, sha256=str(n)),)))
    assert [one.sha256 for one in read_kept(tmp_path).tuned] == ["2", "3", "1"]
    changed(state, Change(untuned=(replace(TUNED, sha256="3").key,)))
    assert [one.sha256 for one in read_kept(tmp_path).tuned] == ["2", "1"]


def test_settled_commands_are_bounded_and_those_that_wait_stay(
    state: State, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(custody, "MOST_COMMANDS", 2)
    for seq, what in enumerate(["waiting", "settled", "running", "settled", "settled"], start=1):
        changed(state, Change(commands=(replace(COMMAND, id=f"command-{seq}", seq=seq, state=what),)))
    assert [row.seq for row in read_kept(tmp_path).commands] == [1, 3, 4, 5]


def test_the_audit_log_is_bounded_and_goes_on_counting(
    state: State, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(custody, "MOST_ENTRIES", 5)
    for seq in range(1, 15):
        last = changed(state, Change(notes=NOTES[:1]))
        assert last[0] == seq
        with closing(sqlite3.connect(path)) as db:
            rows = db.execute("SELECT seq, body IS NULL FROM audit ORDER BY seq").fetchall()
        gone = [(seq - 5, 1)] if seq > 5 else []
        assert rows == [*gone, *((n, 0) for n in range(max(1, seq - 4), seq + 1))]
    with closing(State(path)) as again:
        assert again.custody.head() == last


def test_a_change_that_nobody_could_write_is_refused_to_whoever_asks() -> None:
    for wrong in (
        Change(documents={"keys": bytes(MAX_DOCUMENT + 1)}),
        Change(floors={"root": -1}),
        Change(put=(replace(ACTIVE, generation=1 << 63),)),
        Change(tuned=(replace(TUNED, wall_ns=-1),)),
        Change(commands=(replace(COMMAND, seq=-1),)),
        Change(commands=(replace(COMMAND, outcome=bytes(MAX_COMMAND + 1)),)),
        Change(tuned=(replace(TUNED, figures="x" * (MAX_FIGURES + 1)),)),
    ):
        with pytest.raises(ValueError, match=r"bytes|out of range|too long|too large"):
            fitted(wrong)
    with pytest.raises(TypeError):
        fitted(Change(notes=(Note("x", "y", {"n": object()}),)))  # type: ignore[dict-item]
    assert fitted(CHANGE) == CHANGE


def test_texts_that_are_too_long_or_no_texts_are_cut_and_written(state: State, tmp_path: Path) -> None:
    long, odd = "x" * 5000, "door\udcff"
    row = replace(ACTIVE, reason=odd + long)
    note = Note(odd, long, {f"{n}{long}": odd for n in range(99)})
    change = fitted(Change(put=(row,), verdicts=(replace(REJECTED, reason=odd),), notes=(note,)))
    assert changed(state, change)[0] == 1
    kept = read_kept(tmp_path)
    assert (kept.slots[0].reason[:6], len(kept.slots[0].reason)) == ("door?x", MOST_TEXT)
    assert kept.verdicts[0].reason == "door?"
    assert len(change.notes[0].detail) < 99
