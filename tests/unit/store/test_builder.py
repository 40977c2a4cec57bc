from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.blocks import Times, unpack
from agent.store.builder import BlockBuilder
from agent.store.settings import StoreSettings
from tests.simulators.clocks import ManualClock


def builder(clock: ManualClock | None = None, **settings: Any) -> BlockBuilder:
    return BlockBuilder(clock or ManualClock(), StoreSettings(**settings))


def test_numbers_start_at_one_and_put_gives_the_last() -> None:
    made = builder()
    assert made.add([{"n": 1}], {}) == 1
    assert made.add([{"n": 2}, {"n": 3}], {}) == 3
    made.close()
    [block] = made.closed
    assert (block.first, block.count) == (1, 3)
    assert [record["n"] for record in unpack(block)[0]] == [1, 2, 3]


def test_a_record_is_dated_by_its_capture_however_long_it_waited() -> None:
    clock = ManualClock(now=50.0, wall=1_000_000_000_000)
    made = builder(clock)
    captured = int(clock.now * 1e9)
    clock.tick(2.5)
    made.add([{"captured_ns": captured}], {})
    made.close()
    [record] = unpack(made.closed[0])[0]
    assert record == {"captured_ns": captured, "wall_ns": 1_000_000_000_000}


def test_a_stepped_wall_clock_dates_by_its_newest_opinion() -> None:
    clock = ManualClock(now=50.0, wall=0)
    made = builder(clock)
    captured = int(clock.now * 1e9)
    clock.tick(1.0)
    clock.wall = 1_700_000_000_000_000_000
    made.add([{"captured_ns": captured}], {})
    made.close()
    assert unpack(made.closed[0])[0][0]["wall_ns"] == 1_700_000_000_000_000_000 - 1_000_000_000


def test_a_record_without_capture_time_is_dated_now() -> None:
    clock = ManualClock()
    made = builder(clock)
    made.add([{"kind": "ledger"}], {})
    made.close()
    assert unpack(made.closed[0])[0][0]["wall_ns"] == clock.wall


def test_the_caller_keeps_its_records_as_they_were() -> None:
    record = {"n": 1}
    builder().add([record], {})
    assert record == {"n": 1}


def test_a_block_closes_when_it_has_its_records() -> None:
    made = builder(block_results=4)
    for _ in range(3):
        made.add([{}], {})
    assert not made.closed
    assert made.open == 3
    made.add([{}], {})
    assert [(block.first, block.count) for block in made.closed] == [(1, 4)]
    assert made.open == 0


def test_a_block_closes_before_it_grows_too_large() -> None:
    made = builder(block_bytes=1000)
    for _ in range(3):
        made.add([{"x": "a" * 400}], {})
    made.close()
    assert [block.count for block in made.closed] == [2, 1]


def test_one_put_is_never_cut_even_when_it_is_too_large() -> None:
    made = builder(block_results=4, block_bytes=1000)
    made.add([{}], {})
    made.add([{"x": "a" * 400}] * 9, {})
    assert [(block.first, block.count) for block in made.closed] == [(1, 1), (2, 9)]


def test_a_block_carries_the_ledgers_of_its_last_record() -> None:
    made = builder(block_results=2)
    made.add([{}], {"gate": {"captured": 1}, "door": {"captured": 7}})
    made.add([{}], {"gate": {"captured": 2}})
    made.add([{}], {"gate": {"captured": 3}})
    made.close()
    assert [unpack(block)[1] for block in made.closed] == [
        {"gate": {"captured": 2}, "door": {"captured": 7}},
        {"gate": {"captured": 3}, "door": {"captured": 7}},
    ]


def test_a_put_that_does_not_fit_leaves_the_earlier_block_its_own_ledger() -> None:
    made = builder(block_results=3)
    made.add([{}, {}], {"gate": {"captured": 2}})
    made.add([{}, {}], {"gate": {"captured": 4}})
    assert unpack(made.closed[0])[1] == {"gate": {"captured": 2}}


def test_a_ledger_without_records_waits_for_the_next_record() -> None:
    made = builder()
    made.add([{}], {"gate": {"captured": 1}})
    assert made.add([], {"gate": {"captured": 9}}) == 1
    made.close()
    made.add([{}], {})
    made.close()
    assert [unpack(block)[1]["gate"]["captured"] for block in made.closed] == [1, 9]


def test_closing_an_empty_block_makes_none() -> None:
    made = builder()
    made.close()
    made.add([], {"gate": {}})
    made.close()
    assert made.closed == []


def test_what_is_no_json_is_a_bug_and_takes_no_number() -> None:
    made = builder()
    with pytest.raises(TypeError):
        made.add([{"x": object()}], {})
    assert made.last == 0


@given(
    puts=st.lists(st.lists(st.integers(0, 300), max_size=6), max_size=40),
    block_results=st.integers(1, 10),
    block_bytes=st.integers(1, 2000),
)
def test_every_record_is_in_one_block_in_order(
    puts: list[list[int]], block_results: int, block_bytes: int
) -> None:
    made = builder(block_results=block_results, block_bytes=block_bytes)
    sent: list[tuple[int, int]] = []
    for number, sizes in enumerate(puts, start=1):
        records = [{"n": len(sent) + i, "x": "a" * size} for i, size in enumerate(sizes)]
        sent += [(len(sent) + i, number) for i in range(len(records))]
        assert made.add(records, {"p": {"put": number}}) == len(sent)
    made.close()
    expected = 1
    for block in made.closed:
        assert block.first == expected
        expected = block.last + 1
        records, ledgers, _ = unpack(block)
        assert [record["n"] for record in records] == [n for n, _ in sent[block.first - 1 : block.last]]
        assert ledgers == {"p": {"put": sent[block.last - 1][1]}}
    assert expected == len(sent) + 1


def test_a_block_ends_when_the_clock_is_set_right() -> None:
    clock = ManualClock(in_sync=False)
    made = builder(clock)
    made.add([{"n": 1}], {})
    clock.in_sync = True
    made.add([{"n": 2}], {})
    made.add([{"n": 3}], {})
    made.close()
    assert [(block.first, block.last) for block in made.closed] == [(1, 1), (2, 3)]
    assert [unpack(block).clock for block in made.closed] == [
        {"boot": clock.boot, "synced": synced} for synced in (False, True)
    ]


def test_a_block_knows_when_its_records_were_made() -> None:
    clock = ManualClock(now=50.0)
    made = builder(clock)
    made.add_age(1000)
    early = int(clock.now * 1e9)
    clock.tick(7.9)
    made.add([{"captured_ns": int(clock.now * 1e9)}, {"captured_ns": early}], {})
    made.close()
    assert made.closed[0].times == Times(clock.wall - 7_900_000_000, clock.wall, 1007)
