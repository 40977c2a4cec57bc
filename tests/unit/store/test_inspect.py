"""Looking into a data folder, beside the one who writes it."""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from agent.errors import FolderUnusable
from agent.store import repair
from agent.store.inspect import Look, count, edge_times, look, look_at_state, segment_files
from agent.store.settings import StoreSettings
from tests.simulators.clocks import ManualClock
from tests.simulators.outboxes import acknowledge, fill, opened

if TYPE_CHECKING:
    from pathlib import Path

ONE = StoreSettings(block_results=4)
"""All in one segment."""


def firsts(folder: Path) -> list[int]:
    return [block.first for file in segment_files(folder) if (seen := look(file)) for block in seen.blocks]


def fingerprint(folder: Path) -> dict[str, bytes]:
    """Every file but SQLite's index of its log, which readers mark."""
    paths = (path for path in folder.rglob("*") if path.is_file() and not path.name.endswith("-shm"))
    return {str(path): path.read_bytes() for path in paths}


def test_what_is_committed_is_seen_while_it_is_written_and_nothing_is_changed(tmp_path: Path) -> None:
    with closing(opened(tmp_path, ONE)) as outbox:
        for n in (1, 2, 3):
            outbox.put([{"n": n}], {})
            outbox.flush()
            before = fingerprint(tmp_path)
            assert firsts(tmp_path) == list(range(1, n + 1))
            assert count(segment_files(tmp_path)[0]) == (n, n)
            assert look_at_state(tmp_path).problem == ""
            assert fingerprint(tmp_path) == before


def test_a_reader_does_not_hold_up_the_writer(tmp_path: Path) -> None:
    with closing(opened(tmp_path, ONE)) as outbox:
        fill(outbox, 3)
        path = segment_files(tmp_path)[0].path
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as reader:
            rows = reader.execute("SELECT first FROM blocks")
            assert rows.fetchone() == (1,)
            outbox.put([{"n": 4}], {})
            outbox.flush()
            assert [row[0] for row in rows] == [2, 3]
        assert firsts(tmp_path) == [1, 2, 3, 4]


def test_a_segment_that_is_unlinked_meanwhile_is_left_out(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 3)
        files = segment_files(tmp_path)
        acknowledge(outbox, outbox.epoch, 2)
        assert [look(file) is None for file in files] == [True, True, False]
        assert count(files[0]) == (0, 0)


def test_a_log_that_a_crash_left_is_read_also_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    with closing(opened(tmp_path / "a", ONE)) as outbox:
        fill(outbox, 2)
        shutil.copytree(tmp_path / "a", tmp_path / "b")
    for path in (tmp_path / "b" / "segments").glob("*-shm"):
        path.unlink()
        path.mkdir()  # SQLite cannot make its index there, not even for root
    before = fingerprint(tmp_path / "b")
    assert firsts(tmp_path / "b") == [1, 2]
    assert fingerprint(tmp_path / "b") == before


def test_a_damaged_block_is_a_hole_and_the_others_are_given(tmp_path: Path) -> None:
    with closing(opened(tmp_path, ONE)) as outbox:
        fill(outbox, 4)
    [file] = segment_files(tmp_path)
    with closing(sqlite3.connect(file.path, isolation_level=None)) as db:
        db.execute("UPDATE blocks SET crc = crc + 1 WHERE first = 2")
    seen = look(file)
    assert seen is not None
    assert ([block.first for block in seen.blocks], seen.holes, seen.problem) == ([1, 3, 4], ((2, 2),), "")


def test_a_file_that_is_no_database_is_a_problem_and_no_crash(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 1)
    [file] = segment_files(tmp_path)
    file.path.write_bytes(b"no database" * 999)
    seen = look(file)
    assert seen is not None
    assert seen.blocks == ()
    assert "damaged" in seen.problem
    assert edge_times(file) == (None, None)


def test_a_file_that_was_begun_a_moment_ago_is_empty_and_not_damaged(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 1)
    [file] = segment_files(tmp_path)
    file.path.write_bytes(b"")
    assert look(file) == Look((), (), damaged=False, problem="")


def test_the_times_at_both_ends_of_a_segment_are_told(tmp_path: Path) -> None:
    clock = ManualClock()
    with closing(opened(tmp_path, ONE, clock)) as outbox:
        fill(outbox, 2)
        [file] = segment_files(tmp_path)
        oldest, newest = edge_times(file)
    assert oldest is not None
    assert newest is not None
    assert oldest <= newest


def test_a_state_that_is_gone_damaged_or_of_another_version_is_told_apart(tmp_path: Path) -> None:
    assert "not there" in look_at_state(tmp_path).problem
    with closing(opened(tmp_path)) as outbox:
        assert {row.epoch for row in look_at_state(tmp_path).epochs} == {outbox.epoch}
    path = tmp_path / "state.db"
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA user_version=9")
    with pytest.raises(FolderUnusable, match=r"version 9.*edge-agent store migrate --to 5"):
        look_at_state(tmp_path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA user_version=1")
    with pytest.raises(FolderUnusable, match=r"version 1.*Stop the agent and run: edge-agent store migrate$"):
        look_at_state(tmp_path)
    path.write_bytes(b"no database" * 999)
    assert "damaged" in look_at_state(tmp_path).problem


def test_files_are_listed_by_epoch_also_when_all_were_written_in_one_moment(tmp_path: Path) -> None:
    for _ in range(2):
        with closing(opened(tmp_path)) as outbox:
            fill(outbox, 2)
            outbox.put([{"n": 3}], {}, "alert")
            outbox.flush()
    for path in (tmp_path / "segments").iterdir():
        os.utime(path, ns=(1, 1))
    names = [(file.name.stream, file.name.epoch, file.name.first) for file in segment_files(tmp_path)]
    assert len(names) == 6
    assert [name[2] for name in names if name[0] == "result"] == [1, 2, 1, 2]


def test_a_folder_that_is_not_there_is_refused_with_the_options_that_name_one(tmp_path: Path) -> None:
    with pytest.raises(FolderUnusable, match=r"no such folder.*--folder"):
        segment_files(tmp_path / "nosuch")
    assert segment_files(tmp_path) == []


def test_epochs_stand_in_their_order_though_the_clock_went_back_between_them(tmp_path: Path) -> None:
    clock = ManualClock()
    names = []
    for start in range(4):
        with closing(opened(tmp_path, clock=clock)) as outbox:
            names.append(outbox.epoch)
            outbox.put([{"n": start}], {})
            clock.tick(60)
            outbox.flush()
        for path in (tmp_path / "segments").glob(f"result-{outbox.epoch}-*.db"):
            os.utime(path, (10**9 - start * 10**6,) * 2)
    assert [file.name.epoch for file in segment_files(tmp_path)] == names
    (tmp_path / "state.db").unlink()
    assert [file.name.epoch for file in segment_files(tmp_path)] == names
    with closing(opened(tmp_path, clock=clock)) as outbox:
        assert list(outbox.queues["result"].epochs) == [*names, outbox.epoch]


def test_the_oldest_damaged_file_goes_first_though_the_clock_went_back(tmp_path: Path) -> None:
    for number in range(repair.KEPT + 2):
        path = tmp_path / "state.db"
        path.write_bytes(bytes([number]))
        os.utime(path, (10**9 - number * 10**6,) * 2)
        repair.set_aside(path)
    kept = {path.read_bytes()[0] for path in (tmp_path / repair.QUARANTINE).iterdir()}
    assert kept == {2, 3, 4, 5}


@pytest.mark.parametrize("name", ["state.db", "state.db-wal"])
def test_a_pipe_in_place_of_a_file_is_told_and_waited_for_by_nobody(name: str, tmp_path: Path) -> None:
    with closing(opened(tmp_path, ONE)):
        pass
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    assert "no regular file" in look_at_state(tmp_path).problem


def test_a_pipe_in_place_of_a_segment_is_damaged_and_waited_for_by_nobody(tmp_path: Path) -> None:
    with closing(opened(tmp_path, ONE)) as outbox:
        fill(outbox, 4)
    [file] = segment_files(tmp_path)
    file.path.unlink()
    os.mkfifo(file.path)
    seen = look(file)
    assert seen is not None
    assert (seen.blocks, seen.damaged, count(file)) == ((), True, (0, 0))
