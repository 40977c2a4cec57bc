from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agent.blocks import Loss, Position
from agent.errors import StoreBusy
from agent.events import counters
from agent.store.inbox import Put, Want
from agent.store.loop import StoreLoop
from agent.store.reports import Acked, Buffered, Committed, Leased, StoreFault, StoreRecovered
from tests.simulators.outboxes import segments
from tests.simulators.store_bench import Bench

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.outbox.close()


def test_records_are_committed_when_their_time_has_come(bench: Bench) -> None:
    assert bench.turn(puts=[Put([{}], {}), Put([{}], {})]) == []
    assert bench.loop.due(bench.clock.now) == 0.5
    bench.clock.tick(0.5)
    assert bench.turn() == [Committed("result", bench.epoch, 2, 2)]
    assert bench.loop.due(bench.clock.now) is None
    assert bench.turn() == []


def test_a_full_block_is_committed_in_the_same_turn(bench: Bench) -> None:
    assert bench.turn(puts=[Put([{}] * 5, {})]) == [Committed("result", bench.epoch, 5, 5)]


def test_the_last_turn_commits_without_waiting(bench: Bench) -> None:
    assert bench.turn(puts=[Put([{}], {})], stopping=True) == [Committed("result", bench.epoch, 1, 1)]


def test_a_lease_sees_what_was_committed_in_its_turn(bench: Bench) -> None:
    [_, answer] = bench.turn(puts=[Put([{}] * 4, {})], wants=[Want("result", None, 1, 7)])
    assert (answer.token, answer.stream) == (7, "result")
    assert answer.lease.last == 4
    assert bench.turn(wants=[Want("result", Position(bench.epoch, 4), 1, 7)]) == [Leased(7, "result", None)]


def test_an_acknowledgement_is_reported_when_it_is_news(bench: Bench) -> None:
    bench.store(2)
    assert bench.turn(acks={("result", bench.epoch): 4}) == [Acked("result", bench.epoch, 4, 4)]
    assert bench.turn(acks={("result", bench.epoch): 4, ("result", "f" * 16): 9}) == []
    assert bench.loop.due(bench.clock.now) is None


def test_a_refused_commit_is_said_once_kept_and_repeated_ever_more_seldom(bench: Bench) -> None:
    failed = counters["store.failed"]
    with bench.no_new_segments():
        [fault, buffered] = bench.turn(puts=[Put([{"n": 1}] * 4, {})])
        assert isinstance(fault, StoreFault)
        assert buffered == Buffered()
        assert isinstance(fault.error, StoreBusy)
        waits = []
        for _ in range(7):
            wait = bench.loop.due(bench.clock.now)
            assert wait is not None
            waits.append(round(wait, 6))
            assert bench.turn() == []  # too early: nothing is tried
            bench.clock.tick(wait)
            assert bench.turn(puts=[Put([{"n": 2}], {})]) == [Buffered()]
        assert waits == [0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]
        assert counters["store.failed"] == failed + 8
    recovered = counters["store.recovered"]
    bench.clock.tick(5.0)
    assert bench.turn() == [StoreRecovered(), Committed("result", bench.epoch, 11, 11)]
    assert counters["store.recovered"] == recovered + 1


def test_after_a_recovery_the_next_fault_is_said_again_and_retried_soon(bench: Bench) -> None:
    for _ in range(2):
        with bench.no_new_segments():
            assert len(bench.turn(puts=[Put([{}] * 4, {})])) == 2
            assert bench.loop.due(bench.clock.now) == pytest.approx(0.2)
        bench.clock.tick(0.2)
        assert isinstance(bench.turn()[0], StoreRecovered)


def test_a_refused_acknowledgement_is_kept_and_repeated(bench: Bench) -> None:
    bench.store(2)
    with bench.locked_state():
        [news, fault] = bench.turn(acks={("result", bench.epoch): 4})
        assert news == Acked("result", bench.epoch, 4, 4)
        assert isinstance(fault, StoreFault)
        bench.clock.tick(0.2)
        assert bench.turn(acks={("result", bench.epoch): 8}) == [Acked("result", bench.epoch, 8, 4)]
        assert len(segments(bench.folder)) > 1  # nothing goes before its acknowledgement is durable
    bench.clock.tick(5.0)
    assert bench.turn() == [StoreRecovered()]
    assert bench.loop.due(bench.clock.now) is None


def test_a_refused_acknowledgement_holds_up_no_commit(bench: Bench) -> None:
    bench.store(1)
    with bench.locked_state():
        bench.turn(acks={("result", bench.epoch): 4})
        assert bench.turn(puts=[Put([{}] * 4, {})]) == [Committed("result", bench.epoch, 8, 4)]


def test_recovery_is_said_when_nothing_is_refused_any_more(bench: Bench) -> None:
    bench.store(1)
    with bench.locked_state():
        with bench.no_new_segments():
            said = bench.turn(acks={("result", bench.epoch): 4}, puts=[Put([{}] * 4, {})])
            assert [type(one) for one in said] == [Acked, StoreFault, StoreFault, Buffered]
        bench.clock.tick(0.2)
        assert bench.turn() == [Committed("result", bench.epoch, 8, 4)]
    bench.clock.tick(5.0)
    assert bench.turn() == [StoreRecovered()]


def test_a_lease_that_meets_damage_goes_on_behind_it_and_says_what_is_lost(bench: Bench) -> None:
    bench.store(2)
    path = next((bench.folder / "segments").glob("*-000000000001.db"))
    path.write_bytes(b"\0" * path.stat().st_size)
    [answer] = bench.turn(wants=[Want("result", None, 1, 7)])
    assert (answer.lease.first, answer.lease.last) == (5, 8)
    assert answer.lease.lost == (Loss(1, 4, "missing"),)
    assert [found.name for found in (bench.folder / "quarantine").iterdir()] == [f"{path.stem}.0.db"]
    assert bench.turn(puts=[Put([{}] * 4, {})]) == [Committed("result", bench.epoch, 12, 4)]


def test_status_is_that_of_the_last_turn(bench: Bench) -> None:
    bench.store(2)
    bench.turn(acks={("result", bench.epoch): 4})
    assert bench.loop.status == bench.outbox.status()
    assert bench.loop.status.backlog == 4


def test_what_is_said_to_be_committed_is_already_counted_as_waiting(bench: Bench) -> None:
    seen: list[tuple[int, int]] = []

    def look(event: object) -> None:
        if isinstance(event, Committed):
            seen.append((bench.outbox.status().committed, bench.loop.status.backlog))

    bench.loop = StoreLoop(bench.outbox, look)
    bench.store(1)
    assert seen == [(4, 4)]


def test_a_lease_that_was_refused_is_not_held_against_the_disk_when_nobody_asks_again(bench: Bench) -> None:
    bench.store(2)
    want = Want("result", None, 1, 7)
    with bench.no_new_segments():
        [fault, answer] = bench.turn(wants=[want])
        assert isinstance(fault, StoreFault)
        assert answer == Leased(7, "result", None)
        for _ in range(9):  # as long as it is asked for, it counts
            bench.clock.tick(50)
            assert bench.turn(wants=[want]) == [Leased(7, "result", None)]
    bench.clock.tick(50)
    assert bench.turn() == []
    bench.clock.tick(50)
    assert bench.turn() == [StoreRecovered()]
    assert bench.turn() == []


def test_a_disk_that_a_commit_found_open_is_not_called_away_any_more(tmp_path: Path) -> None:
    (tmp_path / "segments").write_bytes(b"")
    made = Bench(tmp_path)
    try:
        made.turn(puts=[Put([{}] * 4, {})])
        (tmp_path / "segments").unlink()
        made.clock.tick(0.2)
        made.outbox.attach()  # as the commit of this very turn would
        assert made.turn() == [StoreRecovered(), Committed("result", made.epoch, 4, 4)]
    finally:
        made.outbox.close()
