"""The camera source before a simulated driver, through OpenCV's real V4L2 code; one fault after the other."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from agent.errors import SourceLost
from agent.sources.camera import CameraSource, Options, build
from tests.simulators.cameras import MEDIA_CONTROLLER, METADATA, Cameras, number_in

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.cameras


def opened(**options: Any) -> CameraSource:
    return build(Options(**{"silence_s": 0.5, **options}), start=0)


def refused(**options: Any) -> str:
    """Give the one line with which a camera is refused; nothing of it stays open."""
    with pytest.raises(SourceLost) as caught:
        opened(**options)
    closed = [line for line in Cameras.here().log if line.startswith(("open", "close"))]
    assert len([line for line in closed if line.startswith("open")]) * 2 == len(closed)
    line = str(caught.value)
    assert "\n" not in line
    assert caught.value.hint
    return line


def again(call: Callable[..., object], *values: object) -> None:
    for _ in range(100):
        call(*values)


def test_frames_come_in_order_dated_by_the_driver_and_fresh() -> None:
    Cameras.here().plug()
    source = opened(width=320, height=240, fps=100)
    frames = []
    for _ in range(8):
        frame = source.read(1)
        assert frame is not None
        age = time.monotonic_ns() - frame.captured_ns
        frames.append((frame.seq, number_in(frame.data), age))
        assert frame.data.shape == (240, 320, 3)
    source.close()
    numbers = [number for _, number, _ in frames]
    assert [seq for seq, _, _ in frames] == list(range(8))
    assert numbers == sorted(set(numbers))
    assert numbers[0] > 1  # the first of a stream is no frame yet
    assert min(age for _, _, age in frames) < 50_000_000
    assert [line for line in Cameras.here().log if line.startswith("buffers")][-2:] == [
        "buffers 2",
        "buffers 0",
    ]


@pytest.mark.parametrize(("age_ms", "believed"), [(300, True), (9000, False), (-60_000, False)])
def test_a_frame_has_the_drivers_date_where_that_can_be_true(age_ms: int, believed: bool) -> None:
    Cameras.here().plug(age_ms=age_ms)
    source = opened()
    frame = source.read(1)
    now = time.monotonic_ns()
    source.close()
    assert frame is not None
    assert ((now - frame.captured_ns) // 1_000_000 >= 300) is believed
    assert frame.captured_ns <= now


def test_a_size_that_was_not_asked_for_is_taken_as_it_is() -> None:
    Cameras.here().plug(modes=("YUYV 176x144@100",))
    source = opened()
    frame = source.read(1)
    source.close()
    assert frame is not None
    assert frame.data.shape == (144, 176, 3)


def test_a_read_waits_no_longer_than_asked_and_silence_is_a_loss() -> None:
    Cameras.here().plug(stop_after=3)
    source = opened(width=320, height=240, fps=100, silence_s=2)
    while source.read(0.5) is not None:
        pass
    took: list[float] = []

    def read() -> None:
        began = time.monotonic()
        assert source.read(0.05) is None
        took.append(time.monotonic() - began)

    with pytest.raises(SourceLost, match=r"no frame for [2-9]\.\d s\. Unplug it and plug it in again"):
        again(read)
    source.close()
    assert 4 <= len(took) <= 31
    assert 0.05 <= min(took) < 0.4


def test_a_slow_camera_is_no_silent_one() -> None:
    Cameras.here().plug(modes=("YUYV 64x48@1",))
    began = time.monotonic()
    source = opened(silence_s=1.9)
    assert source.read(0) is None
    assert time.monotonic() - began < 0.9  # it does not wait for the first frame
    frames = [source.read(3) for _ in range(2)]
    source.close()
    assert None not in frames


def test_a_camera_that_is_unplugged_is_lost_at_once_and_comes_back_under_another_number() -> None:
    here = Cameras.here()
    here.plug(0, unplug_after=5)
    name = here.name(0, "usb-Sim_Cam_7-video-index0")
    source = opened(device=name, width=320, height=240, fps=100)
    with pytest.raises(SourceLost, match=r"it was unplugged\. Plug it in again"):
        again(source.read, 1)
    source.close()
    assert "it is not there. No camera is plugged in" in refused(device=name)
    here.plug(3)
    (here.root / "dev/v4l/by-id" / name).unlink()
    here.name(3, name)
    source = opened(device=name)
    assert source.read(1) is not None
    source.close()


def test_a_camera_that_is_not_there_is_answered_with_those_that_are() -> None:
    here = Cameras.here()
    here.plug(0, "Front Cam")
    here.plug(1, "Front Cam", modes=(), caps=f"{METADATA:x}")
    here.plug(2, "Locked\tCam", open_error=13)
    here.name(0, "usb-Front_1-video-index0")
    for device in ("/dev/video9", "usb-Back_2-video-index0", "/dev/v4l/by-id/nothing", "/dev/null/x"):
        line = refused(device=device)
        assert "it is not there. Set device to one of: usb-Front_1-video-index0 (Front Cam); " in line
        assert line.endswith("/dev/video2 (Locked?Cam: permission denied)")


def test_the_only_camera_needs_no_name_and_of_two_one_must_be_named() -> None:
    here = Cameras.here()
    assert "there is none. No camera is plugged in" in refused()
    here.plug(4)
    here.plug(5, modes=(), caps=f"{METADATA:x}")
    opened().close()
    here.plug(6, "Other")
    assert "there are 2, and device names none. Set device to one of: /dev/video4" in refused()


@pytest.mark.parametrize(
    ("traits", "said"),
    [
        ({"open_error": 13}, "permission denied. Let this user join the group video"),
        ({"open_error": 16}, "another program uses it. Stop that program"),
        ({"open_error": 19}, "it is not there."),
        ({"open_error": 5}, "input/output error."),
        ({"busy": 1}, "another program uses it. Stop that program"),
        ({"caps": f"{METADATA:x}"}, "Sim Cam gives no pictures here. Set device to one of"),
        (
            {"caps": f"{MEDIA_CONTROLLER:x}"},
            'must be set up by libcamera. Use source = { kind = "rpicam" }',
        ),
        ({"name": ""}, "it is no camera."),
        ({"modes": ("H264 640x480@30",)}, "OpenCV can't read what it gives: H264 640x480."),
    ],
)
def test_a_camera_that_cannot_be_had_is_refused_in_one_line(traits: dict[str, Any], said: str) -> None:
    here = Cameras.here()
    here.plug(7, "Other")
    here.plug(0, **traits)
    assert said in refused(device="/dev/video0")


@pytest.mark.parametrize("path", ["/dev/null", "/etc/hostname", "/dev", "/dev/vid\0eo"])
def test_what_is_no_camera_is_refused(path: str) -> None:
    line = refused(device=path)
    assert line.startswith(f"open camera {path}: ")
    assert "No camera is plugged in" in line


def test_who_holds_a_camera_is_named() -> None:
    here = Cameras.here()
    here.plug(busy=1)
    code = f"f = open({str(here.root / 'dev/video0')!r}); print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        line = refused()
        other.communicate(b"\n")
    assert f"(pid {other.pid}) uses it. Stop that program" in line


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            {"width": 1920, "height": 1080},
            "it gives 640x480, not 1920x1080. It can do: YUYV 640x480, 320x240; ",
        ),
        (
            {"format": "NV12"},
            "it gives YUYV, not NV12. It can do: YUYV 640x480, 320x240; MJPG 320x240, 1280x720",
        ),
    ],
)
def test_a_camera_that_does_not_obey_is_refused_with_what_it_can(options: dict[str, Any], said: str) -> None:
    Cameras.here().plug()
    assert said in refused(**options)


def test_a_driver_that_gives_another_size_than_it_promises_is_refused() -> None:
    Cameras.here().plug(force_size="320x240")
    assert "it gives 320x240, not 640x480" in refused(width=640, height=480)


def test_a_stream_that_does_not_start_is_a_loss() -> None:
    Cameras.here().plug(stream_error=28)  # ENOSPC: the USB bus has no room for it
    source = opened()
    with pytest.raises(SourceLost, match=r"its driver reports an error\. Try another USB port"):
        source.read(1)
    source.close()


def test_width_and_height_go_together() -> None:
    with pytest.raises(ValidationError, match="width and height go together"):
        Options(width=640)


@pytest.mark.parametrize(
    ("modes", "options", "chosen"),
    [
        (("YUYV 640x480@30", "MJPG 640x480@30"), {}, "YUYV"),
        (("YUYV 640x480@5", "MJPG 640x480@30"), {}, "MJPG"),
        (("YUYV 1280x720@10", "MJPG 1280x720@60"), {"width": 1280, "height": 720}, "MJPG"),
        (("YUYV 1280x720@10", "MJPG 1280x720@60"), {"width": 1280, "height": 720, "fps": 10}, "YUYV"),
        (("H264 640x480@30", "YUYV 640x480@5"), {}, "YUYV"),
        (("YUYV 32x32-1920x1080@30",), {"width": 1280, "height": 720}, "YUYV"),
    ],
)
def test_auto_takes_a_format_that_is_fast_enough(
    modes: tuple[str, ...], options: dict[str, int], chosen: str
) -> None:
    here = Cameras.here()
    here.plug(modes=modes, jpeg="none")
    opened(**options).close()
    formats = [line for line in here.log if line.startswith("format")]
    assert formats[-1].startswith(f"format {chosen} ")


def test_fifty_reconnects_leave_no_descriptor_and_no_thread() -> None:
    here = Cameras.here()

    def held() -> tuple[int, int]:
        return len([*Path("/proc/self/task").iterdir()]), len([*Path("/proc/self/fd").iterdir()])

    before = (0, 0)
    for round_ in range(51):
        here.plug(modes=("YUYV 64x48@200",), unplug_after=2)
        source = opened()
        with pytest.raises(SourceLost, match="unplugged"):
            again(source.read, 1)
        source.close()
        if round_ == 0:
            before = held()  # what a library keeps for good
    assert held() == before
