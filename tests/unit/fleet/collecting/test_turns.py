"""The collector's time, shared between batches and rows."""

from __future__ import annotations

import pytest

from agent.fleet.collecting.turns import Turns


def share_of_rows(turns: Turns, behind: int) -> float:
    """What part of ten seconds goes into rows at 1 ms for each 100 records, while a batch comes each 5 ms."""
    now, spent = 0.0, 0.0
    while now < 10:
        if most := turns.most(now, busy=True):
            turns.took(most * 1e-5, now, behind)
            spent += most * 1e-5
            now += most * 1e-5
        now += 0.005
    return spent / 10


def test_while_batches_come_a_tenth_of_the_time_goes_into_rows() -> None:
    assert share_of_rows(Turns(), behind=1000) == pytest.approx(0.1, abs=0.03)


def test_half_of_it_does_when_too_much_has_gathered() -> None:
    assert share_of_rows(Turns(), behind=5_000_000) == pytest.approx(0.5, abs=0.1)


def test_all_of_it_does_soon_after_the_last_batch() -> None:
    turns = Turns()
    turns.took(1.0, 0.0, 0)
    assert turns.most(0.01, busy=True) == 0
    assert turns.most(0.05, busy=False) == 0
    assert turns.most(0.07, busy=False) == 4096
    assert turns.most(0.08, busy=False) == 4096
