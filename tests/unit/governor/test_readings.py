"""What the kernel says, read from folders that look like it, whatever stands in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.boards.profiles import Thermal
from agent.governor.readings import Board, Heat, Memory, memory, temperatures
from tests.simulators.fake_board import MEMORY, FakeBoard

if TYPE_CHECKING:
    from pathlib import Path

THERMAL = Thermal(throttled="/sys/devices/platform/soc*/soc*:firmware/get_throttled", throttled_mask=0xE)
THROTTLED = "sys/devices/platform/soc/soc:firmware/get_throttled"
ZONES = "sys/class/thermal"


@pytest.fixture
def board(tmp_path: Path) -> FakeBoard:
    return FakeBoard(tmp_path)


def heat(board: FakeBoard) -> Heat:
    return Board(THERMAL, board.root).heat()


def test_the_hottest_zone_that_counts_is_the_boards(board: FakeBoard) -> None:
    for number, (kind, degrees) in enumerate([("soc", 51000), ("wifi", 90000), ("CPU-big", 48000)], 1):
        board.write(
            {f"{ZONES}/thermal_zone{number}/type": kind, f"{ZONES}/thermal_zone{number}/temp": degrees}
        )
    assert heat(board) == Heat(51.0, "1:soc")


def test_nonsense_and_absence_are_no_temperature(board: FakeBoard, tmp_path: Path) -> None:
    for degrees in ("-274000", "250000", "", "hot", "9" * 500):
        board.write({f"{ZONES}/thermal_zone0/temp": degrees})
        assert heat(board).celsius is None
    assert Board(THERMAL, tmp_path / "absent").heat() == Heat()
    assert memory(tmp_path / "absent") == Memory()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ("0", ""),
        ("4", "the firmware says 0x4"),
        ("50000", ""),
        ("e0008", "the firmware says 0x8"),
        ("1", ""),
        ("x", ""),
    ],
)
def test_the_firmwares_flags_count_by_their_mask(board: FakeBoard, flags: str, said: str) -> None:
    board.write({THROTTLED: flags})
    assert heat(board).throttled == said


def test_a_processor_that_may_run_less_fast_than_before_is_throttled(board: FakeBoard) -> None:
    policy = "sys/devices/system/cpu/cpufreq/policy0/scaling_max_freq"
    board.write({policy: 1_500_000})
    one = Board(THERMAL, board.root)
    assert one.heat().throttled == ""  # whoever capped it before the start wanted that
    board.write({policy: 1_800_000})
    assert one.heat().throttled == ""
    board.write({policy: 1_000_000})
    assert one.heat().throttled == "policy0 is capped at 1000 of 1800 MHz"


def test_one_wild_clock_rate_is_no_cap_for_ever_after(board: FakeBoard) -> None:
    policy = "sys/devices/system/cpu/cpufreq/policy0"
    looked = Board(THERMAL, board.root)
    for rate in (1_800_000, 10**15, 1_800_000):
        board.write({f"{policy}/cpuinfo_max_freq": 1_800_000, f"{policy}/scaling_max_freq": rate})
        assert looked.heat().throttled == ""


def test_cooling_by_computing_slower_is_throttling_and_a_fan_is_none(board: FakeBoard) -> None:
    board.write({f"{ZONES}/cooling_device0/type": "pwm-fan", f"{ZONES}/cooling_device0/cur_state": 3})
    assert heat(board).throttled == ""
    board.write({f"{ZONES}/cooling_device1/type": "cpufreq-cpu0", f"{ZONES}/cooling_device1/cur_state": 2})
    assert heat(board).throttled == "cpufreq-cpu0 cools, state 2"


def test_a_raspberry_pis_under_voltage_is_throttling(board: FakeBoard) -> None:
    board.write({"sys/class/hwmon/hwmon1/name": "rpi_volt", "sys/class/hwmon/hwmon1/in0_lcrit_alarm": 1})
    assert heat(board).throttled == "under-voltage"


def test_memory_is_that_of_the_machine_or_of_the_control_group_that_has_less(board: FakeBoard) -> None:
    board.memory(free=0.25, pressure=3.5)
    assert memory(board.root) == Memory(0.25, MEMORY << 8, 3.5)
    group = "sys/fs/cgroup/system.slice/edge-agent.service"
    board.write(
        {
            "proc/self/cgroup": "0::/system.slice/edge-agent.service",
            f"{group}/memory.max": "max",
            f"{group}/memory.current": 100 << 20,
            f"{group}/memory.pressure": "some avg10=12.00 avg60=0.00 avg300=0.00 total=0",
            "sys/fs/cgroup/system.slice/memory.max": 200 << 20,
            "sys/fs/cgroup/system.slice/memory.current": 190 << 20,
            "sys/fs/cgroup/system.slice/memory.stat": f"anon 1\ninactive_file {30 << 20}",
        }
    )
    assert memory(board.root) == Memory(0.2, 40 << 20, 12.0)


def test_a_path_of_a_control_group_that_leads_out_is_not_followed(board: FakeBoard) -> None:
    board.write({"proc/self/cgroup": "0::/../../etc", "etc/memory.max": 1, "etc/memory.current": 1})
    assert memory(board.root).free == 0.5


@settings(max_examples=60, deadline=None)
@given(
    st.binary(max_size=400),
    st.sampled_from(["proc/meminfo", "proc/pressure/memory", "proc/self/cgroup", THROTTLED]),
)
def test_whatever_stands_in_a_file_is_read_or_left_out(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, name: str
) -> None:
    board = FakeBoard(tmp_path_factory.mktemp("board"))
    board.write({name: ""})
    (board.root / name).write_bytes(content)
    read = memory(board.root)
    assert read.free is None or 0 <= read.free <= 1
    assert read.pressure is None or 0 <= read.pressure <= 100
    assert heat(board).celsius == 40.0


@pytest.mark.parametrize("pattern", ["/", "/**x", "/a/**/["])
def test_a_pattern_that_names_nothing_finds_nothing(pattern: str, board: FakeBoard) -> None:
    assert Board(Thermal.model_construct(throttled=pattern), board.root)._firmware() == ""


@pytest.mark.parametrize("number", ["\u00b2", "9" * 5000, "-1", "1_0", "0x5"])
def test_what_is_no_number_of_the_kernels_is_left_out(number: str, board: FakeBoard) -> None:
    board.write(
        {
            "proc/meminfo": f"MemTotal: {number} kB\nMemAvailable: {number} kB\n",
            "proc/self/cgroup": "0::/a",
            "sys/fs/cgroup/a/memory.max": -1,
            "sys/fs/cgroup/a/memory.current": 5,
            "sys/fs/cgroup/a/memory.stat": f"inactive_file {number}",
        }
    )
    assert memory(board.root).free is None


def test_at_most_sixteen_zones_are_read(board: FakeBoard) -> None:
    for number in range(40):
        board.write({f"{ZONES}/thermal_zone{number}/type": "cpu", f"{ZONES}/thermal_zone{number}/temp": 1000})
    assert len(list(temperatures(board.root / ZONES))) == 16
