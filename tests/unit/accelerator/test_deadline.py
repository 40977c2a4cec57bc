"""The deadline of an inference: from those before it, within the accelerator's limits."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.accelerator.deadline import _EVERY, LEAST, MOST, Deadline
from agent.boards.accelerators import Limits

LIMITS = Limits(invoke_s=2, floor_s=0.25, factor=10)


def learned(*seconds: float, limits: Limits = LIMITS) -> Deadline:
    found = Deadline(limits)
    for one in seconds:
        found.note(round(one * 1e9))
    return found


def test_until_enough_were_seen_the_deadline_is_the_longest() -> None:
    assert learned(*[0.001] * (LEAST - 1)).seconds == 2
    assert learned(*[0.001] * LEAST).seconds == 0.25


def test_a_slow_model_gets_ten_times_its_99th_percentile() -> None:
    assert learned(*[0.1] * LEAST).seconds == pytest.approx(1.0, rel=0.017)


def test_what_is_long_gone_is_forgotten() -> None:
    slow = [0.15] * LEAST
    assert learned(*slow, *[0.001] * 100).seconds == pytest.approx(1.5, rel=0.017)
    assert learned(*slow, *[0.001] * (MOST + _EVERY)).seconds == 0.25


@given(
    st.lists(st.floats(1e-6, 5), min_size=LEAST, max_size=MOST + 200),
    st.floats(0.01, 3),
    st.floats(0.01, 3),
    st.floats(2, 20),
)
def test_it_is_the_formula_within_a_buckets_width(
    seconds: list[float], invoke_s: float, floor_s: float, factor: float
) -> None:
    count = LEAST + (len(seconds) - LEAST) // _EVERY * _EVERY
    seconds = seconds[:count]
    found = learned(*seconds, limits=Limits(invoke_s=invoke_s, floor_s=floor_s, factor=factor)).seconds
    last = sorted(seconds[-MOST:])
    p99 = last[math.ceil(0.99 * len(last)) - 1]
    wanted = min(invoke_s, max(floor_s, factor * p99))
    assert found == pytest.approx(wanted, rel=0.033, abs=2e-6 * factor)
    assert min(invoke_s, floor_s) <= found <= invoke_s


@given(st.lists(st.floats(0, 2000), max_size=1200))
def test_its_memory_is_bounded(seconds: list[float]) -> None:
    found = learned(*seconds)
    assert len(found._last) == min(len(seconds), MOST)
    assert sum(found._counts.values()) == len(found._last)
