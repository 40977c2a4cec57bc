"""Frames at a steady rate."""

from __future__ import annotations

import time
from itertools import pairwise

import pytest

from agent.sources._pace import Pace


class FakeTime:
    """Stands in for the module ``time``: sleeping takes exactly as long as asked."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        assert seconds >= 0
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    fake = FakeTime()
    monkeypatch.setattr("agent.sources._pace.time", fake)
    return fake


def test_the_first_frame_is_due_at_once_and_the_others_an_interval_apart(clock: FakeTime) -> None:
    pace = Pace(0.1)
    due = []
    for _ in range(5):
        assert pace.wait(1)
        due.append(round(clock.now - 100, 6))
    assert due == [0, 0.1, 0.2, 0.3, 0.4]


def test_a_slow_reader_does_not_make_it_drift(clock: FakeTime) -> None:
    pace = Pace(0.1)
    due = []
    for _ in range(5):
        assert pace.wait(1)
        due.append(round(clock.now - 100, 6))
        clock.now += 0.07
    assert due == [0, 0.1, 0.2, 0.3, 0.4]


def test_what_a_late_reader_missed_is_not_made_up_for(clock: FakeTime) -> None:
    pace = Pace(0.1)
    assert pace.wait(1)
    clock.now += 0.55
    due = []
    for _ in range(3):
        assert pace.wait(1)
        due.append(round(clock.now - 100, 6))
    assert due == [0.55, 0.6, 0.7]


def test_a_wait_that_is_too_short_ends_in_time_and_loses_nothing(clock: FakeTime) -> None:
    pace = Pace(0.1)
    assert pace.wait(0)
    assert not pace.wait(0)
    assert not pace.wait(0.04)
    assert not pace.wait(-1)
    assert round(clock.now - 100, 6) == 0.04
    assert pace.wait(0.07)
    assert round(clock.now - 100, 6) == 0.1


def test_without_an_interval_it_never_waits(clock: FakeTime) -> None:
    pace = Pace(0)
    assert all(pace.wait(0) for _ in range(10))
    assert clock.now == 100


def test_real_time_is_kept() -> None:
    pace = Pace(0.02)
    due = []
    for _ in range(6):
        assert pace.wait(1)
        due.append(time.monotonic())
    assert 0.09 < due[-1] - due[0] < 5
    assert all(later > earlier for earlier, later in pairwise(due))
