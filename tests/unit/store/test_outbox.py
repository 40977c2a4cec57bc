from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from agent.blocks import Lease, Position, unpack
from agent.errors import FolderUnusable, StoreBusy
from agent.events import counters
from agent.store.builder import StoreSettings
from agent.store.outbox import Outbox
from tests.simulators.clocks import ManualClock

if TYPE_CHECKING:
    from pathlib import Path

    from agent.store.segment import Segment

SMALL = StoreSettings(block_results=4, segment_bytes=1)
"""Every commit gets a segment of its own."""


def opened(folder: Path, settings: StoreSettings = SMALL, clock: ManualClock | None = None) -> Outbox:
    return Outbox(folder, clock=clock or ManualClock(), settings=settings)


def fill(outbox: Outbox, count: int, first: int = 1) -> int:
    """Put and commit one record at a time: with SMALL, one segment each."""
    last = 0
    for n in range(first, first + count):
        outbox.put([{"n": n}], {})
        last = outbox.flush()
    return last


def numbers(lease: Lease | None) -> list[int]:
    assert lease is not None
    return [record["n"] for block in lease.blocks for record in unpack(block)[0]]


def drained(outbox: Outbox, after: Position | None = None) -> list[Lease]:
    leases: list[Lease] = []
    while (lease := outbox.lease(after, 1)) is not None:
        leases.append(lease)
        after = Position(lease.epoch, lease.last)
    return leases


def segments(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "segments").iterdir())


def test_nothing_is_leased_before_its_commit(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        outbox.put([{"n": 1}] * 9, {})
        assert outbox.lease(None, 10_000) is None
        assert outbox.flush() == 9
        assert numbers(outbox.lease(None, 10_000)) == [1] * 9


def test_an_empty_outbox_writes_no_segment(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        assert outbox.flush() == 0
        assert outbox.lease(None, 1) is None
        assert segments(tmp_path) == []


def test_a_flush_is_due_half_a_second_after_the_first_record(tmp_path: Path) -> None:
    clock = ManualClock()
    with closing(opened(tmp_path, StoreSettings(), clock)) as outbox:
        assert outbox.due(clock.now) is None
        outbox.put([{}], {})
        assert outbox.due(clock.now) == 0.5
        clock.tick(0.25)
        outbox.put([{}], {})
        assert outbox.due(clock.now) == 0.25
        clock.tick(0.75)
        assert outbox.due(clock.now) == 0.0
        outbox.flush()
        assert outbox.due(clock.now) is None


def test_a_flush_is_due_at_once_when_a_block_is_full(tmp_path: Path) -> None:
    clock = ManualClock()
    with closing(opened(tmp_path, StoreSettings(), clock)) as outbox:
        outbox.put([{}] * 64, {})
        assert outbox.due(clock.now) == 0.0


def test_a_lease_follows_the_last_one_and_deletes_nothing(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 3)
        assert [numbers(lease) for lease in drained(outbox)] == [[1], [2], [3]]
        assert [numbers(lease) for lease in drained(outbox)] == [[1], [2], [3]]
        assert [numbers(lease) for lease in drained(outbox, Position(outbox.epoch, 1))] == [[2], [3]]
        assert outbox.lease(Position(outbox.epoch, 3), 1) is None


def test_a_lease_after_an_unknown_place_starts_at_the_cursor(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 3)
        outbox.ack(outbox.epoch, 1)
        assert [numbers(lease) for lease in drained(outbox, Position("f" * 16, 77))] == [[2], [3]]


def test_a_lease_says_what_will_not_come_again(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 5)
        assert [lease.low for lease in drained(outbox)] == [1] * 5
        outbox.ack(outbox.epoch, 2)
        assert [lease.low for lease in drained(outbox)] == [3] * 3


def test_earlier_epochs_are_drained_first_and_are_not_live(tmp_path: Path) -> None:
    names = []
    for start in (1, 3, 5):
        with closing(opened(tmp_path)) as outbox:
            names.append(outbox.epoch)
            fill(outbox, 2, start)
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 1, 7)
        leases = drained(outbox)
        assert [numbers(lease) for lease in leases] == [[1], [2], [3], [4], [5], [6], [7]]
        assert [lease.epoch for lease in leases] == [name for name in names for _ in "12"] + [outbox.epoch]
        assert [lease.live for lease in leases] == [False] * 6 + [True]
        assert {len(name) for name in names} == {16}
        assert len({*names, outbox.epoch}) == 4


def test_what_was_not_committed_is_gone_with_the_process(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 2)
        outbox.put([{"n": 3}], {})
    with closing(opened(tmp_path)) as outbox:
        assert [numbers(lease) for lease in drained(outbox)] == [[1], [2]]


def test_an_acknowledgement_unlinks_what_is_delivered(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 4)
        before = segments(tmp_path)
        assert outbox.ack(outbox.epoch, 2) == 2
        assert segments(tmp_path) == [name for name in before if not name.endswith(("01.db", "02.db"))]
        assert outbox.ack(outbox.epoch, 4) == 2
        assert outbox.status().backlog == 0
        assert [numbers(lease) for lease in drained(outbox)] == []


def test_a_segment_stays_while_a_record_of_it_is_not_acknowledged(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        outbox.put([{"n": 1}, {"n": 2}], {})
        outbox.flush()
        fill(outbox, 1, 3)
        outbox.ack(outbox.epoch, 1)
        assert [numbers(lease) for lease in drained(outbox)] == [[1, 2], [3]]
        outbox.ack(outbox.epoch, 2)
        assert [numbers(lease) for lease in drained(outbox)] == [[3]]


@pytest.mark.parametrize("upto", [0, -1, 4, 10**30])
def test_what_is_not_there_cannot_be_acknowledged(tmp_path: Path, upto: int) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 3)
        outbox.put([{"n": 4}], {})
        assert outbox.ack(outbox.epoch, upto) == 0
        assert outbox.ack("f" * 16, 1) == 0
        assert len(drained(outbox)) == 3


def test_an_old_acknowledgement_changes_nothing(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 3)
        assert [outbox.ack(outbox.epoch, upto) for upto in (2, 2, 1, 3)] == [2, 0, 0, 1]


def test_the_cursor_is_durable_before_anything_is_unlinked(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 3)
        before = segments(tmp_path)
        with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreBusy):
                outbox.ack(outbox.epoch, 2)
            assert segments(tmp_path) == before
            assert outbox.status().acked == 0
            other.execute("ROLLBACK")
        assert outbox.ack(outbox.epoch, 2) == 2


def test_a_delivered_epoch_is_forgotten_at_the_next_start(tmp_path: Path) -> None:
    for _ in range(5):
        with closing(opened(tmp_path)) as outbox:
            fill(outbox, 2)
            outbox.ack(outbox.epoch, 2)
    with closing(opened(tmp_path)) as outbox:
        assert segments(tmp_path) == []
        assert [row.epoch for row in outbox._state.epochs()] == [outbox.epoch]


def test_a_segment_that_survived_its_acknowledgement_is_not_sent_again(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 3)
        shutil.copytree(tmp_path / "segments", tmp_path / "before")
        outbox.ack(outbox.epoch, 2)
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
        assert outbox.ack(epoch, 3) == 3
        assert segments(tmp_path) == []


def test_a_missing_segment_is_skipped_and_declared(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 5)
    missing = counters["segment.missing"]
    for path in (tmp_path / "segments").glob("*-00000000000[24].db"):
        path.unlink()
    with closing(opened(tmp_path)) as outbox:
        leases = drained(outbox)
        assert [numbers(lease) for lease in leases] == [[1], [3], [5]]
        epoch = leases[0].epoch
        assert {lease.low for lease in leases} == {1}
        assert outbox.ack(epoch, 1) == 1
        assert [(numbers(lease), lease.low) for lease in drained(outbox)] == [([3], 3), ([5], 3)]
        assert outbox.ack(epoch, 3) == 1
        assert [(numbers(lease), lease.low) for lease in drained(outbox)] == [([5], 5)]
        assert outbox.ack(epoch, 5) == 1
        assert segments(tmp_path) == []
    assert counters["segment.missing"] == missing  # between two files that are there, only the gap is known


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
    missing = counters["segment.missing"]
    with closing(opened(tmp_path)) as outbox:
        assert [numbers(lease) for lease in drained(outbox)] == [[3]]
    assert counters["segment.missing"] == missing + 1


def test_a_damaged_segment_is_refused_by_name_and_new_results_are_stored(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 2)
        path = next((tmp_path / "segments").glob("*-000000000001.db"))
        path.write_bytes(b"\0" * path.stat().st_size)
        with pytest.raises(FolderUnusable, match=path.name):
            outbox.lease(None, 1)
        assert fill(outbox, 1, 3) == 3


def damage_under_the_writer(outbox: Outbox) -> None:
    """Zero the newest segment and its log, and make SQLite look at them again."""
    writer = outbox._live.chain._writer
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
        roll = outbox._live.chain._roll

        def roll_on_a_full_disk(first: int) -> Segment:
            segment = roll(first)
            segment._db.execute("PRAGMA max_page_count=2")
            return segment

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(outbox._live.chain, "_roll", roll_on_a_full_disk)
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
            with pytest.raises(StoreBusy, match="does not open"):
                outbox.flush()
        outbox.put([{"n": 4}], {})
        assert outbox.status().committed == 1
        (tmp_path / "away").rename(folder)
        assert outbox.flush() == 4
        assert [numbers(lease) for lease in drained(outbox)] == [[1], [2, 3], [4]]


def test_much_that_waited_is_committed_in_small_steps(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        for n in range(100):
            outbox.put([{"n": n}] * 4, {})
        assert outbox.flush() == 400
        assert len([name for name in segments(tmp_path) if name.endswith(".db")]) == 4


def test_a_segment_takes_blocks_until_it_has_its_size(tmp_path: Path) -> None:
    with closing(opened(tmp_path, StoreSettings(segment_bytes=100_000))) as outbox:
        for n in range(40):
            outbox.put([{"n": n, "x": random.Random(n).randbytes(5000).hex()}], {})
            outbox.flush()
        sizes = [path.stat().st_size for path in (tmp_path / "segments").glob("*.db")]
        assert len(sizes) > 1
        assert max(sizes) < 150_000


def test_status_says_where_everything_stands(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 3)
        outbox.ack(outbox.epoch, 1)
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 2)
        outbox.put([{}], {})
        outbox.ack(outbox.epoch, 1)
        status: Any = outbox.status()
        on_disk = sum(path.stat().st_size for path in (tmp_path / "segments").glob("*.db"))
        assert (status.epoch, status.accepted, status.committed, status.acked) == (outbox.epoch, 3, 2, 1)
        assert status.backlog == 3
        assert status.size > 0
        assert abs(status.size - on_disk) <= 3 * 4096 * 3


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 1)
        outbox.ack(outbox.epoch, 1)
    stray = tmp_path / "segments" / "notes.txt"
    stray.write_text("mine")
    for _ in range(2):
        with closing(opened(tmp_path)) as outbox:
            assert drained(outbox) == []
    assert stray.read_text() == "mine"
