"""IIO devices with a buffer, from a tree of files and a named pipe as the kernel makes them."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from agent.errors import InputRejected, SourceLost
from agent.sources import iio
from agent.types import Needs
from tests.simulators import iio_device
from tests.simulators.iio_device import STEP_NS, IioDevice, stamps

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.types import Frame, Source


@pytest.fixture
def device(tmp_path: Path) -> Iterator[IioDevice]:
    with iio_device.device(tmp_path) as found:
        yield found


def sensor(device: IioDevice, **more: Any) -> Source:
    return iio.build(iio.Options(**device.options(**more)), start=0)


def one(source: Source) -> Frame:
    frame = source.read(10)
    assert frame is not None
    return frame


def test_records_become_windows_in_the_kernels_units_dated_by_their_timestamps(device: IioDevice) -> None:
    dates = stamps(4)
    with closing(sensor(device)) as source:
        device.put([(1, -2048), (2, 3), (4, 5), (6, 7)], dates)
        first, second = one(source), one(source)
    assert first.data.tolist() == [[-1024, 0.5], [1.5, 1]]
    assert second.data.tolist() == [[2.5, 2], [3.5, 3]]
    assert [first.captured_ns, second.captured_ns] == [dates[1], dates[3]]


def test_the_device_is_set_up_and_stopped_again(device: IioDevice) -> None:
    with closing(sensor(device, frequency=800, trigger="hrtimer0", length=512)):
        assert device.told("buffer/enable") == "1"
        assert device.told("buffer/length") == "512"
        assert device.told("buffer/watermark") == "40"
        assert device.told("sampling_frequency") == "800"
        assert device.told("trigger/current_trigger") == "hrtimer0"
        assert device.told("current_timestamp_clock") == "monotonic"
        enabled = {
            name: device.told(f"scan_elements/{name}_en")
            for name in ("in_accel_x", "in_temp", "in_timestamp")
        }
        assert enabled == {"in_accel_x": "1", "in_temp": "0", "in_timestamp": "1"}
    assert device.told("buffer/enable") == "0"


def test_timestamps_of_the_wall_clock_are_brought_to_the_monotonic_one(device: IioDevice) -> None:
    (device.folder / "current_timestamp_clock").unlink()
    with closing(sensor(device)) as source:
        device.put([(1, 1), (2, 2)], stamps(2, first=time.time_ns() - 2 * STEP_NS))
        assert abs(one(source).captured_ns - time.monotonic_ns()) < 5 * 10**9


def test_a_file_that_ends_with_a_null_is_read_as_one_that_does_not(device: IioDevice) -> None:
    """Linux 6.1 ends this one so."""
    device.file("current_timestamp_clock", "monotonic\n\0")
    sensor(device).close()


def test_a_record_that_the_kernel_had_no_room_for_is_a_gap(device: IioDevice) -> None:
    dates = stamps(9)
    with closing(sensor(device)) as source:
        device.put([(1, 1), (2, 2), (3, 3)], dates[:3])
        one(source)
        device.put([(7, 7), (8, 8)], dates[6:8])
        with pytest.raises(InputRejected, match=r"adxl window 1: no sample for 0\.04 s"):
            one(source)
        assert one(source).data[:, 0].tolist() == [3.5, 4]


def test_timestamps_that_are_of_no_known_clock_fail_the_window_and_say_how_far_off(device: IioDevice) -> None:
    with closing(sensor(device)) as source:
        device.put([(1, 1)], [7])
        with pytest.raises(InputRejected, match=r"its timestamps are \d+\.\d s behind"):
            one(source)


def test_a_device_without_timestamps_is_dated_by_its_frequency(tmp_path: Path) -> None:
    with iio_device.device(tmp_path, stamped=False) as device, closing(sensor(device)) as source:
        device.put([(1, 2), (3, 4), (5, 6), (7, 8)])
        first, second = one(source), one(source)
        assert first.data.tolist() == [[1, 0.5], [2, 1.5]]
        assert second.captured_ns - first.captured_ns == pytest.approx(2 * STEP_NS, abs=10**6)
        assert abs(second.captured_ns - time.monotonic_ns()) < 5 * 10**9


def test_a_device_with_neither_timestamps_nor_a_frequency_is_refused(tmp_path: Path) -> None:
    with iio_device.device(tmp_path, stamped=False) as device:
        (device.folder / "sampling_frequency").unlink()
        with pytest.raises(SourceLost, match="neither timestamps nor a sampling frequency"):
            sensor(device)


def test_a_device_that_is_unplugged_is_lost(device: IioDevice) -> None:
    with closing(sensor(device)) as source:
        assert source.read(0) is None
        device.unplug()
        with pytest.raises(SourceLost, match="its node has no more to give"):
            one(source)


def test_a_silent_device_is_lost(device: IioDevice) -> None:
    with closing(sensor(device, silence_s=0.5)) as source, pytest.raises(SourceLost, match=r"no sample for"):
        source.read(0.6)


@pytest.mark.parametrize(
    ("remove", "put", "told"),
    [
        ("buffer/enable", None, r"enable = 0: no such file or directory"),
        ("in_accel_x_raw", None, ""),
        ("scan_elements/in_accel_y_en", None, r"its buffer has no in_accel_y. It has: in_accel_x, in_temp$"),
        (
            "scan_elements/in_accel_y_type",
            "le:s99/16>>4",
            r"in_accel_y: the type 'le:s99/16>>4' makes no sense",
        ),
        ("sampling_frequency", "fast", r"sampling_frequency is no number: 'fast'"),
        ("current_timestamp_clock", "monotonic\nx", r"its clock 'monotonic.+x' is not known"),
    ],
)
def test_what_a_device_lacks_or_says_wrong_is_one_line(
    device: IioDevice, remove: str, put: str | None, told: str
) -> None:
    (device.folder / remove).unlink()
    if put is not None:
        device.file(remove, put)
    if told:
        with pytest.raises(SourceLost, match=told) as caught:
            sensor(device)
        assert "\n" not in str(caught.value)
    else:
        sensor(device).close()


def test_a_device_without_a_buffer_or_a_node_is_refused(device: IioDevice) -> None:
    device.unplug()
    device.node.unlink()
    with pytest.raises(SourceLost, match="iio:device0: no such file or directory"):
        sensor(device)
    (device.folder / "scan_elements").rename(device.folder / "hidden")
    with pytest.raises(SourceLost, match=r"its driver has no buffer\. Leave buffered out"):
        sensor(device)


def test_a_setting_that_the_device_refuses_is_named(device: IioDevice) -> None:
    (device.folder / "trigger/current_trigger").unlink()
    (device.folder / "trigger/current_trigger").mkdir()
    with pytest.raises(SourceLost, match="current_trigger = x: is a directory"):
        sensor(device, trigger="x")


def test_a_pace_that_the_device_does_not_take_is_refused_with_what_it_can(device: IioDevice) -> None:
    place, real = device.folder / "sampling_frequency", Path("/proc/self/coredump_filter")
    before = real.read_text()
    place.unlink()
    place.symlink_to(real)  # a file of the kernel's own that takes 800 for a number with another base
    device.file("sampling_frequency_available", "100 400")
    try:
        with pytest.raises(SourceLost, match=r"takes \d+ samples a second, not 800\. It can: 100 400"):
            sensor(device, frequency=800)
    finally:
        real.write_text(f"0x{before}")


@pytest.mark.parametrize("name", ["in_sampling_frequency", "in_accel_sampling_frequency"])
def test_a_pace_may_be_that_of_all_inputs_or_of_one_kind(device: IioDevice, name: str) -> None:
    (device.folder / "sampling_frequency").rename(device.folder / name)
    sensor(device, frequency=400).close()
    assert device.told(name) == "400"


def test_a_device_that_a_trigger_paces_has_the_triggers_frequency_set(device: IioDevice) -> None:
    (device.folder / "sampling_frequency").unlink()
    with pytest.raises(SourceLost, match="no sampling frequency that can be set"):
        sensor(device, frequency=50)
    trigger = device.root / "trigger0"
    trigger.mkdir()
    (trigger / "name").write_text("hrtimer0\n")
    (trigger / "sampling_frequency").write_text("100\n")
    sensor(device, frequency=12.5, trigger="hrtimer0").close()
    assert (trigger / "sampling_frequency").read_text() == "12.5\n"


def test_what_is_for_a_buffer_is_refused_without_one(device: IioDevice) -> None:
    with pytest.raises(ValidationError, match="for buffered = true"):
        iio.Options(**device.options(buffered=False, frequency=3))
    with pytest.raises(ValidationError, match="named twice"):
        iio.Options(**device.options(channels=["in_temp", "in_temp"]))


def test_it_needs_the_files_and_the_node_of_its_device_as_it_is_now(device: IioDevice) -> None:
    needed = iio.needs(iio.Options(**device.options()))
    assert needed == Needs(read=(str(device.root),), devices=(str(device.folder), str(device.node)))
    assert iio.needs(iio.Options(**device.options(device="other"))).devices == ()
