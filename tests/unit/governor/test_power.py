"""What a board draws, by sensors that are files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.boards.profiles import Power
from agent.governor.power import PowerMeter
from tests.simulators.fake_board import FakeBoard

if TYPE_CHECKING:
    from pathlib import Path

HWMON, RAPL = "sys/class/hwmon/hwmon0", "sys/class/powercap/intel-rapl:0"


@pytest.fixture
def board(tmp_path: Path) -> FakeBoard:
    return FakeBoard(tmp_path)


def meter(board: FakeBoard, *patterns: str) -> PowerMeter:
    return PowerMeter(Power(hwmon=patterns), board.root)


def test_without_a_sensor_nothing_is_measured(board: FakeBoard) -> None:
    board.write({f"{HWMON}/name": "ina226", f"{HWMON}/power1_input": 5_000_000})
    one = meter(board, "other")
    one.tick(0)
    one.tick(10)
    assert (one.joules, one.watts, one.source) == (None, None, "")


def test_watts_are_added_up_over_time(board: FakeBoard) -> None:
    board.write({f"{HWMON}/name": "ina226", f"{HWMON}/power1_input": 4_000_000})
    one = meter(board, "ina2*")
    one.tick(0)
    assert one.joules == 0
    board.write({f"{HWMON}/power1_input": 6_000_000})
    one.tick(10)
    assert (one.joules, one.watts, one.source) == (50, 6, "board")
    one.tick(1000)  # nobody knows what was drawn meanwhile
    assert one.joules == 50


def test_a_sensor_with_volts_and_amperes_gives_the_boards_input(board: FakeBoard) -> None:
    board.write({f"{HWMON}/name": "ina3221"})
    for channel, (label, volts, amperes) in enumerate([("VDD_IN", 5000, 1200), ("VDD_CPU", 1000, 2000)], 1):
        board.write(
            {
                f"{HWMON}/in{channel}_label": label,
                f"{HWMON}/in{channel}_input": volts,
                f"{HWMON}/curr{channel}_input": amperes,
            }
        )
    one = meter(board, "ina3221")
    one.tick(0)
    assert one.watts == 6.0
    board.write({f"{HWMON}/in1_label": "A", f"{HWMON}/in2_label": "B"})
    one.tick(1)
    assert one.watts == 8.0


def test_a_count_of_energy_is_taken_and_may_begin_anew(board: FakeBoard) -> None:
    board.write({f"{RAPL}/name": "package-0", f"{RAPL}/energy_uj": 90_000_000})
    board.write(
        {f"{RAPL}/max_energy_range_uj": 100_000_000, f"{RAPL}:0/name": "core", f"{RAPL}:0/energy_uj": 7}
    )
    one = meter(board)
    one.tick(0)
    assert (one.joules, one.watts) == (0, None)
    board.write({f"{RAPL}/energy_uj": 20_000_000})
    one.tick(10)
    assert (one.joules, one.watts, one.source) == (30, 3, "package")


def test_a_sensor_of_joules_is_the_boards_when_the_profile_names_it(board: FakeBoard) -> None:
    board.write({f"{HWMON}/name": "energy", f"{HWMON}/energy1_input": 1_000_000})
    one = meter(board, "energy")
    one.tick(0)
    board.write({f"{HWMON}/energy1_input": 3_000_000})
    one.tick(1)
    assert (one.joules, one.source) == (2, "board")


@settings(max_examples=15, deadline=None)
@given(
    st.lists(st.tuples(st.text("0123456789-x", max_size=9), st.floats(0, 100)), max_size=12), st.booleans()
)
def test_energy_never_shrinks_whatever_a_sensor_says(
    tmp_path_factory: pytest.TempPathFactory, story: list[tuple[str, float]], counts: bool
) -> None:
    board = FakeBoard(tmp_path_factory.mktemp("board"))
    name = "energy1_input" if counts else "power1_input"
    board.write({f"{HWMON}/name": "x"})
    one, now, before = meter(board, "x"), 0.0, 0.0
    for said, gap in story:
        now += gap
        board.write({f"{HWMON}/{name}": said})
        one.tick(now)
        assert (one.joules or 0.0) >= before
        before = one.joules or 0.0
