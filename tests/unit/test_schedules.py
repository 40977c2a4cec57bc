"""Schedules: open at the times that the operator names, in the zone that the operator names."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.clock import RELEASED_NS
from agent.filters import schedule as filters
from agent.gates import schedule as gates
from agent.schedules import DAYS, Schedule, Window
from agent.screening import Admission
from agent.types import Frame, FrameInfo, Result

BERLIN = "Europe/Berlin"


def ns(at: datetime) -> int:
    return int(at.timestamp()) * 10**9


def local(text: str, zone: str = BERLIN) -> int:
    return ns(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))


def schedule(*windows: dict[str, Any], **more: Any) -> Schedule:
    return Schedule(**{"windows": windows, "zone": BERLIN, **more})


@pytest.mark.parametrize(
    ("window", "opened", "closed"),
    [
        ({}, ["2026-03-02 00:00", "2026-03-08 23:59"], []),
        (
            {"days": ["mon", "fri"], "begin": "08:00", "end": "17:30"},
            ["2026-03-02 08:00", "2026-03-06 17:29"],
            ["2026-03-02 07:59", "2026-03-02 17:30", "2026-03-03 12:00"],
        ),
        (
            {"days": ["fri"], "begin": "22:00", "end": "06:00"},
            ["2026-03-06 22:00", "2026-03-07 05:59"],
            ["2026-03-06 05:59", "2026-03-06 21:59", "2026-03-07 06:00", "2026-03-07 22:00"],
        ),
        (
            {"days": ["sun"], "begin": "12:00", "end": "12:00"},
            ["2026-03-08 12:00", "2026-03-09 11:59"],
            ["2026-03-08 11:59", "2026-03-09 12:00"],
        ),
    ],
)
def test_a_window_is_open_on_its_days_from_its_begin_to_before_its_end(
    window: dict[str, Any], opened: list[str], closed: list[str]
) -> None:
    assert [at for at in opened if not schedule(window).is_open(local(at))] == []
    assert [at for at in closed if schedule(window).is_open(local(at))] == []


def test_the_time_of_day_is_that_of_the_zone_in_summer_and_in_winter() -> None:
    morning = {"begin": "08:00", "end": "09:00"}
    for utc, wanted in (("2026-01-15 07:30", True), ("2026-07-15 07:30", False), ("2026-07-15 06:30", True)):
        assert schedule(morning).is_open(local(utc, "UTC")) == wanted


def test_without_a_zone_it_is_the_machines_own() -> None:
    at = datetime(2026, 5, 5, 12, 0, tzinfo=UTC)
    hour = at.astimezone().hour
    assert schedule({"begin": f"{hour:02}:00"}, zone="").is_open(ns(at))
    assert not schedule({"begin": "00:00", "end": f"{hour:02}:00"}, zone="").is_open(ns(at)) or hour == 0


@pytest.mark.parametrize("unset", ["open", "closed"])
def test_while_the_clock_was_never_set_an_option_decides(unset: str) -> None:
    one = schedule({}, unset=unset)
    assert one.is_open(0) == one.is_open(RELEASED_NS - 1) == (unset == "open")
    assert one.is_open(RELEASED_NS)


@given(
    days=st.sets(st.sampled_from(DAYS), min_size=1),
    begin=st.integers(0, 23),
    end=st.integers(0, 24),
    minutes=st.integers(0, 7 * 24 * 60),
)
def test_a_window_is_open_for_its_length_from_each_begin(
    days: set[Any], begin: int, end: int, minutes: int
) -> None:
    window = Window(days=tuple(days), begin=f"{begin:02}:00", end=f"{end:02}:00")
    at = datetime(2026, 3, 2, tzinfo=UTC) + timedelta(minutes=minutes)  # a Monday
    hours = end - begin if end > begin else end - begin + 24
    begins = [
        (at - timedelta(days=back)).replace(hour=begin, minute=0)
        for back in (0, 1)
        if DAYS[(at.weekday() - back) % 7] in days
    ]
    assert window.holds(at) == any(one <= at < one + timedelta(hours=hours) for one in begins)


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ({"windows": []}, "at least 1"),
        ({"windows": [{"begin": "8:00"}]}, "pattern"),
        ({"windows": [{"begin": "24:00"}]}, "pattern"),
        ({"windows": [{"end": "24:01"}]}, "pattern"),
        ({"windows": [{"days": ["monday"]}]}, "'mon'"),
        ({"windows": [{}], "zone": "Europe/Atlantis"}, "no such time zone"),
        ({"windows": [{}], "zone": "../../etc/passwd"}, "no such time zone"),
        ({"windows": [{}], "zone": "Europe"}, "no such time zone"),
    ],
)
def test_schedules_that_are_none_are_refused(told: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Schedule(**told)


def test_the_gate_leaves_frames_out_and_the_filter_holds_results_back() -> None:
    now = [local("2026-03-02 12:00")]
    one = schedule({"begin": "08:00", "end": "17:00"})
    gate, filter_ = gates.ScheduleGate(one, lambda: now[0]), filters.ScheduleFilter(one, lambda: now[0])
    frame, info = Frame(0, 0, np.zeros((2, 2, 3), np.uint8)), FrameInfo(0, 0, 2, 2)
    result = Result("detection", (), ({"event": "line.crossed"},))
    assert (gate.admit(frame), filter_.apply(result, info)) == (Admission(), result)
    now[0] = local("2026-03-02 17:00")
    assert (gate.admit(frame), filter_.apply(result, info)) == (None, None)
