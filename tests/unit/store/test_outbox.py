from __future__ import annotations

import random
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from agent.blocks import Position
from agent.store.settings import StoreSettings
from tests.simulators.clocks import ManualClock
from tests.simulators.outboxes import acknowledge, drained, fill, numbers, opened, segments

if TYPE_CHECKING:
    from pathlib import Path


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
        acknowledge(outbox, outbox.epoch, 1)
        assert [numbers(lease) for lease in drained(outbox, Position("f" * 16, 77))] == [[2], [3]]


def test_a_lease_says_what_will_not_come_again(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 5)
        assert [lease.low for lease in drained(outbox)] == [1] * 5
        acknowledge(outbox, outbox.epoch, 2)
        assert [lease.low for lease in drained(outbox)] == [3] * 3


def test_what_is_leased_never_lies_below_what_is_declared_gone(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        outbox.put([{"n": n} for n in (1, 2, 3)], {})
        outbox.flush()
        fill(outbox, 1, 4)
        acknowledge(outbox, outbox.epoch, 2)  # inside the first block, which is sent again whole
        assert [(lease.low, lease.first) for lease in drained(outbox)] == [(1, 1), (3, 4)]


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
        assert acknowledge(outbox, outbox.epoch, 2) == 2
        assert segments(tmp_path) == [name for name in before if not name.endswith(("01.db", "02.db"))]
        assert acknowledge(outbox, outbox.epoch, 4) == 2
        assert outbox.status().backlog == 0
        assert [numbers(lease) for lease in drained(outbox)] == []


def test_a_segment_stays_while_a_record_of_it_is_not_acknowledged(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        outbox.put([{"n": 1}, {"n": 2}], {})
        outbox.flush()
        fill(outbox, 1, 3)
        acknowledge(outbox, outbox.epoch, 1)
        assert [numbers(lease) for lease in drained(outbox)] == [[1, 2], [3]]
        acknowledge(outbox, outbox.epoch, 2)
        assert [numbers(lease) for lease in drained(outbox)] == [[3]]


@pytest.mark.parametrize("upto", [0, -1, 4, 10**30])
def test_what_is_not_there_cannot_be_acknowledged(tmp_path: Path, upto: int) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 3)
        outbox.put([{"n": 4}], {})
        assert acknowledge(outbox, outbox.epoch, upto) == 0
        assert acknowledge(outbox, "f" * 16, 1) == 0
        assert len(drained(outbox)) == 3


def test_an_old_acknowledgement_changes_nothing(tmp_path: Path) -> None:
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 3)
        assert [acknowledge(outbox, outbox.epoch, upto) for upto in (2, 2, 1, 3)] == [2, 0, 0, 1]


def test_a_delivered_epoch_is_forgotten_at_the_next_start(tmp_path: Path) -> None:
    for _ in range(5):
        with closing(opened(tmp_path)) as outbox:
            fill(outbox, 2)
            acknowledge(outbox, outbox.epoch, 2)
    with closing(opened(tmp_path)) as outbox:
        assert segments(tmp_path) == []
        assert outbox._disk._state is not None
        assert {row.epoch for row in outbox._disk._state.epochs()} == {outbox.epoch}


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
        acknowledge(outbox, outbox.epoch, 1)
    with closing(opened(tmp_path)) as outbox:
        fill(outbox, 2)
        outbox.put([{}], {})
        acknowledge(outbox, outbox.epoch, 1)
        status: Any = outbox.status()
        on_disk = sum(path.stat().st_size for path in (tmp_path / "segments").glob("*.db"))
        assert (status.epoch, status.accepted, status.committed, status.acked) == (outbox.epoch, 3, 2, 1)
        assert status.backlog == 3
        assert status.size > 0
        assert abs(status.size - on_disk) <= 3 * 4096 * 3
