"""What a model costs: the same measure when it is packed and when it is proved."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.histogram import percentile
from agent.workers.program.measuring import Memory

TIMES = st.lists(st.floats(0, 1e6), min_size=1, max_size=60)


@given(TIMES, st.floats(0.01, 1))
def test_a_percentile_is_the_least_value_that_a_share_does_not_exceed(
    times: list[float], share: float
) -> None:
    found = percentile(times, share)
    assert found in times
    assert sum(one <= found for one in times) >= share * len(times) - 1e-9
    assert sum(one < found for one in times) < share * len(times) + 1e-9


def test_of_nothing_there_is_no_percentile() -> None:
    with pytest.raises(IndexError):
        percentile([], 0.5)


def test_a_peak_from_before_says_nothing_of_what_came_after() -> None:
    before = Memory(now=50, peak=90)
    assert Memory(now=70, peak=120).added_since(before) == 70
    assert Memory(now=70, peak=90).added_since(before) == 20
    assert Memory(now=40, peak=90).added_since(before) == 0


def test_memory_that_is_taken_shows() -> None:
    before = Memory.look()
    held = bytearray(b"x" * (64 << 20))
    assert Memory.look().added_since(before) > 40 << 20
    assert held
