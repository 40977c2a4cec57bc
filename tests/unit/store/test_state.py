from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from agent.errors import FileDamaged, FolderUnusable, StoreBusy
from agent.store.rebuild import rebuilt
from agent.store.state import EpochRow, State

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


def test_epochs_are_kept_in_their_order(state: State, path: Path) -> None:
    names = ["ffff", "0000", "7777"]
    for name in names:
        state.begin([EpochRow("result", name)])
    with closing(State(path)) as again:
        assert again.epochs() == [EpochRow("result", name, 0, None) for name in names]


def test_a_new_epoch_comes_last_even_when_older_ones_were_forgotten(state: State) -> None:
    state.begin([EpochRow("result", "a"), EpochRow("result", "b")])
    state.forget([("result", "a")])
    state.begin([EpochRow("result", "c")])
    assert [row.epoch for row in state.epochs()] == ["b", "c"]


def test_the_cursor_never_moves_back(state: State) -> None:
    state.begin([EpochRow("result", "a")])
    state.acknowledge("result", "a", 10)
    state.acknowledge("result", "a", 4)
    assert state.epochs() == [EpochRow("result", "a", 10, None)]


def test_an_ended_epoch_knows_its_last(state: State) -> None:
    state.begin([EpochRow("result", "a")])
    state.end({("result", "a"): 99})
    assert state.epochs() == [EpochRow("result", "a", 0, 99)]


def test_an_epoch_cannot_begin_twice(state: State) -> None:
    state.begin([EpochRow("result", "a")])
    with pytest.raises(sqlite3.IntegrityError):
        state.begin([EpochRow("result", "a")])


def test_a_change_is_refused_while_another_program_holds_the_file(state: State, path: Path) -> None:
    state.begin([EpochRow("result", "a")])
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreBusy) as refused:
            state.acknowledge("result", "a", 1)
        assert str(refused.value).startswith(f"write {path}: another program has locked it (SQLITE_BUSY)")
        assert refused.value.hint
        other.execute("ROLLBACK")
    state.acknowledge("result", "a", 1)


def test_a_damaged_file_is_refused_with_what_to_do(path: Path) -> None:
    path.write_bytes(b"\0garbage" * 2000)
    with pytest.raises(FolderUnusable, match="Move the file away"):
        State(path)


def test_a_command_with_a_flipped_bit_is_noticed(path: Path) -> None:
    with closing(State(path)) as state:
        assert state.accept("c1", b"restart door", 7)
        assert not state.accept("c1", b"another", 8)
        state.settle("c1", "done")
        state.settle("c1", "failed")
        assert (state.outcome("c1"), state.outcome("c2")) == ("done", None)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE inbox SET body = CAST('restart doos' AS BLOB)")
    with pytest.raises(FileDamaged, match="checksum"):
        State(path)


def test_a_schema_with_a_byte_that_is_no_text_is_damage_and_no_crash(path: Path) -> None:
    State(path).close()
    content = path.read_bytes()
    path.write_bytes(
        content.replace(b"sqlite_autoindex", b"sqlite_a\xf5toindex")
    )  # quoted in what SQLite says
    with pytest.raises(FileDamaged, match=r"it is damaged: its text is none\. Move the file away"):
        State(path)
    with closing(rebuilt(path, FileDamaged("read", str(path), "it is damaged"))) as state:
        assert state.epochs() == []
