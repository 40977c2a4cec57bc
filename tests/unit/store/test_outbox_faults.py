from __future__ import annotations

import random
import resource
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from agent.blocks import STREAMS, Loss, Position
from agent.errors import FolderUnusable, StoreBusy
from agent.events import counters
from agent.store.settings import StoreSettings
from agent.store.state import State
from tests.simulators.clocks import ManualClock
from tests.simulators.outboxes import acknowledge, drained, fill, locked, numbers, opened, segments

if TYPE_CHECKING:
    from pathlib import Path

    from agent.store.outbox import Outbox
    from agent.store.segment import Segment


def test_the_cursor_is_durable_before_anything_is_unlinked(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 3)
        before = segments(tmp_path)
        with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreBusy):
                acknowledge(outbox, outbox.epoch, 2)
            assert segments(tmp_path) == before
            other.execute("ROLLBACK")
        outbox.settle()
        assert len(segments(tmp_path)) < len(before)


def test_a_segment_that_survived_its_acknowledgement_is_not_sent_again(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 3)
        shutil.copytree(tmp_path / "segments", tmp_path / "before")
        acknowledge(outbox, outbox.epoch, 2)
    for path in (tmp_path / "before").glob(
        "*-00000000000[12].db"
    ):  # as after a power cut that undid the unlinking
        shutil.copy(path, tmp_path / "segments")
    with closing(opened(tmp_path)) as outbox:
        assert [numbers(lease) for lease in drained(outbox)] == [[3]]
        assert len(segments(tmp_path)) == 1


def test_a_lost_state_loses_no_result(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 3)
        epoch = outbox.epoch
    (tmp_path / "state.db").unlink()
    with closing(opened(tmp_path)) as outbox:
        leases = drained(outbox)
        assert [numbers(lease) for lease in leases] == [[1], [2], [3]]
        assert {lease.epoch for lease in leases} == {epoch}
        assert acknowledge(outbox, epoch, 3) == 3
        assert segments(tmp_path) == []


def test_a_missing_segment_is_skipped_and_declared(tmp_path: Path) -> None:
    two, four = Loss(2, 2, "missing"), Loss(4, 4, "missing")
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 5)
    for path in (tmp_path / "segments").glob("*-00000000000[24].db"):
        path.unlink()
    with closing(opened(tmp_path)) as outbox:
        leases = drained(outbox)
        assert [numbers(lease) for lease in leases] == [[1], [3], [5]]
        epoch = leases[0].epoch
        assert {lease.low for lease in leases} == {1}
        assert [lease.lost for lease in leases] == [(), (two,), (two, four)]
        assert acknowledge(outbox, epoch, 1) == 1
        assert [(numbers(lease), lease.low) for lease in drained(outbox)] == [([3], 3), ([5], 3)]
        assert acknowledge(outbox, epoch, 3) == 1
        assert [(lease.low, lease.lost) for lease in drained(outbox)] == [(5, (four,))]
        assert acknowledge(outbox, epoch, 5) == 1
        assert segments(tmp_path) == []


def test_a_segment_that_vanishes_under_way_is_skipped_and_reported(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 3)
        missing = counters["segment.missing"]
        next((tmp_path / "segments").glob("*-000000000001.db")).unlink()
        assert [(numbers(lease), lease.low) for lease in drained(outbox)] == [([2], 2), ([3], 2)]
        assert counters["segment.missing"] == missing + 1
        assert outbox.status().backlog == 2


def test_an_epoch_whose_files_are_all_gone_does_not_stop_the_rest(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 2)
        epoch = outbox.epoch
    with closing(opened(tmp_path)) as outbox:  # which notes the epoch's end
        fill(outbox, 1, 3)
    for path in (tmp_path / "segments").glob(f"*{epoch}*"):
        path.unlink()
    with closing(opened(tmp_path)) as outbox:
        gone, there = drained(outbox)
        assert numbers(there) == [3]
        assert (gone.blocks, gone.low, gone.last, gone.live) == ((), 3, 2, False)
        assert gone.lost == (Loss(1, 2, "missing"),)
        assert acknowledge(outbox, epoch, 2) == 0
        assert len(drained(outbox)) == 1
    with closing(opened(tmp_path)) as outbox:
        assert [lease.lost for lease in drained(outbox)] == [()]


def test_a_damaged_segment_costs_what_was_in_it_and_new_results_are_stored(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 2)
        path = next((tmp_path / "segments").glob("*-000000000001.db"))
        path.write_bytes(b"\0" * path.stat().st_size)
        lease = outbox.lease(None, 1)
        assert lease is not None
        assert (numbers(lease), lease.lost) == ([2], (Loss(1, 1, "missing"),))
        assert outbox.status().streams["result"].lost == 1
        assert fill(outbox, 1, 3) == 3


def damage_under_the_writer(outbox: Outbox) -> None:
    """Zero the newest segment and its log, and make SQLite look at them again."""
    writer = outbox.queues["result"].live.chain._writer
    assert writer is not None
    for name in (writer.path.name, f"{writer.path.name}-wal"):
        path = writer.path.with_name(name)
        with path.open("r+b") as file:
            file.write(bytes(path.stat().st_size))
    writer._db.execute("PRAGMA shrink_memory")


def test_damage_to_the_newest_segment_costs_that_segment_only(tmp_path: Path) -> None:
    with closing(opened(tmp_path, StoreSettings())) as outbox:
        fill(outbox, 3)
        outbox.put([{"n": 4}], {})
        damage_under_the_writer(outbox)
        with pytest.raises(FolderUnusable, match="damaged"):
            outbox.flush()
        assert outbox.flush() == 4
        assert [numbers(lease) for lease in drained(outbox, Position(outbox.epoch, 3))] == [[4]]


def test_a_segment_damaged_before_its_first_commit_is_made_again(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 1)
        outbox.put([{"n": 2, "x": random.Random(1).randbytes(40_000).hex()}], {})
        roll = outbox.queues["result"].live.chain._roll

        def roll_on_a_full_disk(first: int) -> Segment:
            segment = roll(first)
            segment._db.execute("PRAGMA max_page_count=2")
            return segment

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(outbox.queues["result"].live.chain, "_roll", roll_on_a_full_disk)
            with pytest.raises(StoreBusy, match="the disk is full"):
                outbox.flush()
        damage_under_the_writer(outbox)
        with pytest.raises(FolderUnusable, match="damaged"):
            outbox.flush()
        assert outbox.flush() == 2
        assert [numbers(lease) for lease in drained(outbox)] == [[1], [2]]


def test_a_refused_commit_keeps_everything_and_succeeds_later(tmp_path: Path) -> None:
    folder = tmp_path / "segments"
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 1)
        folder.rename(tmp_path / "away")
        outbox.put([{"n": 2}, {"n": 3}], {})
        for _ in range(3):
            with pytest.raises(StoreBusy, match="No such file"):
                outbox.flush()
        outbox.put([{"n": 4}], {})
        assert outbox.status().committed == 1
        (tmp_path / "away").rename(folder)
        assert outbox.flush() == 4
        assert [numbers(lease) for lease in drained(outbox)] == [[1], [2, 3], [4]]


def test_what_a_disk_refused_again_and_again_is_not_unlinked_with_the_next_segment(tmp_path: Path) -> None:
    folder = tmp_path / "segments"
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 1)
        folder.rename(tmp_path / "away")
        outbox.put([{"n": 2}], {})
        with pytest.raises(StoreBusy):
            outbox.flush()
        lease = outbox.lease(Position(outbox.epoch, 1), 1)  # from memory
        assert lease is not None
        (tmp_path / "away").rename(folder)
        acknowledge(outbox, outbox.epoch, 2)
        outbox.put([{"n": 3}], {})
        with locked(folder / f"result-{outbox.epoch}-000000000003.db"):
            for _ in range(3):
                with pytest.raises(StoreBusy):
                    outbox.flush()
        fill(outbox, 2, 4)
        leases = drained(outbox)
        assert [numbers(lease) for lease in leases] == [[3], [4], [5]]
        assert {lease.lost for lease in leases} == {()}


def test_much_that_waited_is_committed_in_small_steps(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        for n in range(100):
            outbox.put([{"n": n}] * 4, {})
        assert outbox.flush() == 400
        assert len([name for name in segments(tmp_path) if name.endswith(".db")]) == 4


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 1)
        acknowledge(outbox, outbox.epoch, 1)
    stray = tmp_path / "segments" / "notes.txt"
    stray.write_text("mine")
    for _ in range(2):
        with closing(opened(tmp_path)) as outbox:
            assert drained(outbox) == []
    assert stray.read_text() == "mine"


def test_files_are_not_taken_for_gone_while_their_folder_is(tmp_path: Path) -> None:
    folder = tmp_path / "segments"
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 3)
        folder.rename(tmp_path / "away")
        for another in (False, True):
            if another:
                folder.mkdir()
            with pytest.raises(StoreBusy):
                outbox.lease(None, 1)
            outbox.put([{"n": 4}], {})
            with pytest.raises(StoreBusy):
                outbox.flush()
        folder.rmdir()
        (tmp_path / "away").rename(folder)
        outbox.flush()
        assert [numbers(lease) for lease in drained(outbox)] == [[1], [2], [3], [4], [4]]
        assert {lease.lost for lease in drained(outbox)} == {()}


def test_a_file_that_cannot_be_read_at_the_start_holds_up_nothing_else(tmp_path: Path) -> None:
    clock = ManualClock()
    with closing(opened(tmp_path, clock=clock)) as outbox:
        clock.tick(100)
        for stream in STREAMS:
            outbox.put([{"n": 1}], {}, stream)
        outbox.flush()
    path = next((tmp_path / "segments").glob("alert-*.db"))
    path.rename(tmp_path / "away")
    path.mkdir()
    with closing(opened(tmp_path, clock=clock)) as outbox:
        assert outbox.attached
        assert outbox.queues["result"].builder.age_s == 100
        assert [[numbers(one) for one in drained(outbox, stream=stream)] for stream in STREAMS[1:]] == [
            [[1]],
            [[1]],
        ]
        with pytest.raises(StoreBusy):
            outbox.lease(None, 1, "alert")
        path.rmdir()
        (tmp_path / "away").rename(path)
        assert [numbers(one) for one in drained(outbox, stream="alert")] == [[1]]


def test_a_start_that_the_disk_refuses_halfway_counts_no_loss_twice(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        for stream in STREAMS:  # so that nothing is to be forgotten at the next start
            outbox.put([{"n": 1}], {}, stream)
        fill(outbox, 1, 2)
        outbox.lose(outbox.epoch, 1, 1)
        outbox.settle()
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    with closing(State(tmp_path / "state.db", 1000)) as other:
        for _ in range(20):  # the log is long, so that only what is written at its end is refused
            other.add("x", 1)
        resource.setrlimit(resource.RLIMIT_FSIZE, (48 << 10, limit[1]))
        try:
            late = opened(tmp_path)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    with closing(late) as outbox:
        assert not outbox.attached
        outbox.attach()
        assert outbox.status().streams["result"].lost == 1
