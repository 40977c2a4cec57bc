from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.boards.profiles import Thermal
from agent.governor.ladder import Strain
from agent.governor.readings import Heat, Memory
from agent.governor.strain import Warmth, scarcity

THERMAL = Thermal(soft_c=75, hard_c=85, hysteresis_c=5)


def judged(*degrees: float | None, throttled: str = "", step_s: float = 2.0) -> tuple[Strain, str]:
    """Judge the last of some readings."""
    warmth, found = Warmth(THERMAL, 30), (Strain.CALM, "")
    for at, celsius in enumerate(degrees):
        found = warmth.judge(at * step_s, Heat(celsius, "0:cpu" if celsius else "", throttled))
    return found


@pytest.mark.parametrize(
    ("degrees", "wanted"),
    [
        ([60.0], Strain.CALM),
        ([70.0], Strain.CALM),
        ([72.0], Strain.STEADY),
        ([75.0] * 5, Strain.STRAINED),
        ([75, 76, 77, 78, 79.0], Strain.URGENT),
        ([76, 76.1, 76.2, 76.3, 76.4], Strain.STRAINED),
        ([79, 78.5, 78, 77.5, 77.0], Strain.STEADY),
        ([84, 83.99, 83.98, 83.97, 83.96], Strain.STRAINED),
        ([80.0, 85.0], Strain.EXTREME),
    ],
)
def test_heat_is_judged_by_the_profiles_limits_and_by_where_it_goes(
    degrees: list[float], wanted: Strain
) -> None:
    assert judged(*degrees)[0] is wanted


def test_one_wild_reading_is_no_emergency() -> None:
    assert judged(50.0, 120.0)[0] is not Strain.EXTREME
    assert judged(50.0, 120.0, 120.0)[0] is Strain.EXTREME


def test_a_board_that_throttles_itself_is_strained_whatever_its_temperature() -> None:
    assert judged(40.0, throttled="the firmware says 0x4") == (Strain.STRAINED, "the firmware says 0x4")
    assert judged(None, throttled="under-voltage") == (Strain.STRAINED, "under-voltage")
    assert judged(76.0, throttled="x") == (Strain.STRAINED, "76.0 C in 0:cpu, above 75; x")


def test_a_board_without_sensors_is_calm_and_one_that_lost_its_sensor_keeps_what_it_has() -> None:
    assert judged(None)[0] is Strain.CALM
    assert judged(60.0, None)[0] is Strain.STEADY


@settings(deadline=None)
@given(st.lists(st.floats(-50, 190) | st.none(), max_size=80), st.floats(0.01, 100))
def test_any_readings_are_judged_and_explained(degrees: list[float | None], step_s: float) -> None:
    strain, why = judged(*degrees, step_s=step_s)
    assert why or strain <= Strain.STEADY


@settings(deadline=None)
@given(st.floats(0, 100), st.floats(-5, 5), st.integers(4, 7))
def test_a_steady_rise_is_measured(start: float, slope: float, count: int) -> None:
    warmth = Warmth(THERMAL, 30)
    for at in range(count):
        warmth.judge(at * 2.0, Heat(start + slope * at * 2.0, "0:cpu"))
    assert warmth.rise((count - 1) * 2.0) == pytest.approx(slope, abs=1e-6)


@pytest.mark.parametrize(
    ("free", "pressure", "wanted"),
    [
        (0.5, 0.0, Strain.CALM),
        (None, None, Strain.CALM),
        (0.12, 0.0, Strain.STEADY),
        (0.5, 15.0, Strain.STEADY),
        (0.09, 0.0, Strain.STRAINED),
        (0.5, 25.0, Strain.STRAINED),
        (0.04, 0.0, Strain.URGENT),
        (0.02, 0.0, Strain.EXTREME),
    ],
)
def test_memory_is_judged_by_what_is_free_and_by_who_waits(
    free: float | None, pressure: float | None, wanted: Strain
) -> None:
    assert scarcity(Memory(free, 1, pressure), least_free=0.1, most_pressure=20)[0] is wanted
