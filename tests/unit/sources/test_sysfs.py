"""hwmon and IIO, from trees of files as the kernel makes them."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from agent.errors import InputRejected, SourceLost
from agent.sources import hwmon, iio
from agent.types import Needs

if TYPE_CHECKING:
    from pathlib import Path

    from agent.types import Frame, Source


def tree(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(f"{text}\n")
    return folder


def monitor(root: Path, *channels: str, device: str = "board", **more: Any) -> Source:
    given = {
        "rate": 500,
        "window": 2,
        "max_gap_s": 9,
        "device": device,
        "channels": channels,
        "root": str(root),
        **more,
    }
    return hwmon.build(hwmon.Options(**given), start=0)


def sensor(root: Path, *channels: str, device: str = "adc") -> Source:
    options = iio.Options(rate=500, window=1, max_gap_s=9, device=device, channels=channels, root=str(root))
    return iio.build(options, start=5)


def drained(source: Source) -> None:
    for _ in range(100):
        source.read(1)


def one(source: Source) -> Frame:
    frame = source.read(10)
    assert frame is not None
    return frame


def test_monitors_are_read_in_their_units_and_in_the_order_asked_for(tmp_path: Path) -> None:
    files = {"name": "board", "temp1_input": "-41500", "in0_input": "3300", "fan2_input": "1200"}
    more = {
        "power1_input": "2500000",
        "energy1_input": "7000000",
        "curr1_input": "250",
        "humidity1_input": "45000",
    }
    tree(tmp_path, {f"hwmon3/{name}": text for name, text in {**files, **more}.items()})
    channels = ("fan2", "temp1", "in0", "power1", "energy1", "curr1", "humidity1")
    with closing(monitor(tmp_path, *channels)) as source:
        row = one(source).data[0].tolist()
    assert row == pytest.approx([1200, -41.5, 3.3, 2.5, 7, 0.25, 45])


@pytest.mark.parametrize("device", ["board", "hwmon1"])
def test_a_monitor_is_found_by_its_name_or_its_number(tmp_path: Path, device: str) -> None:
    tree(tmp_path, {"hwmon0/name": "disk", "hwmon1/name": "board", "hwmon1/temp1_input": "1000"})
    with closing(monitor(tmp_path, "temp1", device=device)) as source:
        assert one(source).data[0] == [1]


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["disk", "fan"], "there is no such device.*There are: hwmon0 .disk., hwmon1 .fan."),
        (["board", "board"], "2 devices have this name"),
        ([], "there is no such device.*There are: none"),
    ],
)
def test_a_name_that_is_not_there_or_twice_is_said_with_what_there_is(
    tmp_path: Path, names: list[str], told: str
) -> None:
    tree(tmp_path, {f"hwmon{number}/name": name for number, name in enumerate(names)})
    with pytest.raises(SourceLost, match=told):
        monitor(tmp_path, "temp1")


def test_a_channel_that_is_missing_is_said_at_once(tmp_path: Path) -> None:
    tree(tmp_path, {"hwmon0/name": "board"})
    with pytest.raises(SourceLost, match="board: temp1_input: no such file"):
        monitor(tmp_path, "temp1")


def test_a_monitor_that_goes_away_is_lost(tmp_path: Path) -> None:
    tree(tmp_path, {"hwmon0/name": "board", "hwmon0/temp1_input": "1000"})
    with closing(monitor(tmp_path, "temp1")) as source:
        one(source)
        (tmp_path / "hwmon0/temp1_input").unlink()
        with pytest.raises(SourceLost, match="temp1_input: no such file"):
            drained(source)


def test_what_is_no_number_fails_one_window_and_then_the_monitor_is_silent(tmp_path: Path) -> None:
    tree(tmp_path, {"hwmon0/name": "board", "hwmon0/temp1_input": "N/A"})
    with closing(monitor(tmp_path, "temp1", silence_s=0.5)) as source:
        with pytest.raises(InputRejected, match="board window 0: temp1_input is no number: 'N/A'"):
            source.read(1)
        with pytest.raises(SourceLost, match=r"no sample for 0\.\d s"):
            source.read(5)


def test_windows_come_at_the_rate(tmp_path: Path) -> None:
    tree(tmp_path, {"hwmon0/name": "board", "hwmon0/temp1_input": "1000"})
    with closing(monitor(tmp_path, "temp1", rate=100, window=10)) as source:
        frames = [one(source) for _ in range(3)]
        assert [frame.seq for frame in frames] == [0, 1, 2]
        assert frames[2].captured_ns - frames[0].captured_ns == pytest.approx(0.2e9, abs=100)
        assert source.read(0) is None


def test_raw_values_of_iio_become_the_kernels_units(tmp_path: Path) -> None:
    files = {
        "name": "adc",
        "in_voltage0_raw": "100",
        "in_voltage0_scale": "0.5",
        "in_voltage1_raw": "100",
        "in_voltage_scale": "2",
        "in_accel_x_raw": "-10",
        "in_accel_scale": "0.25",
        "in_temp_raw": "30",
        "in_temp_offset": "-20",
        "in_temp_scale": "100",
        "in_pressure_input": "101.3",
    }
    tree(tmp_path, {f"iio:device0/{name}": text for name, text in files.items()})
    channels = ("in_voltage0", "in_voltage1", "in_accel_x", "in_temp", "in_pressure")
    with closing(sensor(tmp_path, *channels)) as source:
        frame = one(source)
    assert frame.seq == 5
    assert frame.data[0].tolist() == pytest.approx([50, 200, -2.5, 1000, 101.3])


def test_a_channel_or_scale_that_iio_lacks_is_said_with_what_there_is(tmp_path: Path) -> None:
    tree(tmp_path, {"iio:device0/name": "adc", "iio:device0/in_voltage0_raw": "1"})
    with pytest.raises(SourceLost, match="it has no in_voltage7"):
        sensor(tmp_path, "in_voltage7")
    tree(tmp_path, {"iio:device0/in_voltage0_scale": "big"})
    with pytest.raises(SourceLost, match="in_voltage0_scale is no number: 'big'"):
        sensor(tmp_path, "in_voltage0")


@pytest.mark.parametrize("module", [hwmon, iio])
def test_only_a_tree_of_ones_own_is_a_need(module: Any) -> None:
    given = {"rate": 1, "window": 1, "device": "x", "channels": ["temp1" if module is hwmon else "in_temp"]}
    assert module.needs(module.Options(**given)) == Needs()
    assert module.needs(module.Options(**given, root="/srv/tree")) == Needs(read=("/srv/tree",))


def test_a_slow_rate_is_no_silence(tmp_path: Path) -> None:
    tree(tmp_path, {"hwmon1/name": "board", "hwmon1/temp1_input": "1000"})
    with closing(monitor(tmp_path, "temp1", rate=0.5, silence_s=0.5)) as source:
        assert source.read(0.1) is None
        assert source.read(0.7) is None
