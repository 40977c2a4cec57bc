"""What is asked of V4L2 devices without OpenCV."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.sources.camera import Options
from agent.sources.v4l2 import query
from agent.sources.v4l2.devices import Camera, cameras, told
from agent.sources.v4l2.query import Format, Sizes, format_size, printable
from agent.sources.v4l2.reach import PREFERRED, best_format
from tests.simulators.cameras import MEDIA_CONTROLLER, METADATA, Cameras

if TYPE_CHECKING:
    from pathlib import Path

SIZES = """
#include <linux/videodev2.h>
#include <stdio.h>
int main(void) {
    printf("%lx %lx %lx %lx %lx %lx %lx %lx %lx %zu", VIDIOC_QUERYCAP, VIDIOC_ENUM_FMT,
           VIDIOC_ENUM_FRAMESIZES, VIDIOC_ENUM_FRAMEINTERVALS, VIDIOC_QUERYCTRL, VIDIOC_QUERYMENU,
           VIDIOC_S_CTRL, VIDIOC_G_FMT, VIDIOC_S_FMT, sizeof(struct v4l2_format));
}
"""
FIXED = [(2, 0, 104), (3, 2, 64), (3, 74, 44), (3, 75, 52), (3, 36, 68), (3, 37, 44), (3, 28, 8)]
"""Direction, number and size of the requests whose structs hold no pointer."""


def test_requests_have_the_numbers_that_the_kernels_header_gives(tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("needs a C compiler")
    (tmp_path / "sizes.c").write_text(SIZES)
    subprocess.run(["cc", "-o", str(tmp_path / "sizes"), str(tmp_path / "sizes.c")], check=True)
    told = subprocess.run([tmp_path / "sizes"], capture_output=True, text=True, check=True).stdout.split()
    here = format_size(query._POINTER)
    ours = [*FIXED, (3, 4, here), (3, 5, here)]
    assert told == [*(f"{query.request(*one):x}" for one in ours), str(here)]


def test_a_machine_of_32_bits_has_a_shorter_format() -> None:
    # The kernel's VIDIOC_S_FMT32, which 64-bit kernels keep for 32-bit programs.
    assert (format_size(4), query.request(3, 5, format_size(4))) == (204, 0xC0CC5605)


@pytest.mark.cameras
def test_cameras_are_listed_with_what_they_can() -> None:
    here = Cameras.here()
    here.plug(10, "Tenth", modes=("MJPG 640x480@30/15", "YUYV 32x16-640x480@30"))
    here.name(10, "usb-Tenth_1-video-index0")
    here.plug(2, "Second", modes=("GREY 64x48",))
    here.plug(3, "Second", modes=(), caps=f"{METADATA:x}")
    here.plug(4, "Sensor", caps=f"{MEDIA_CONTROLLER:x}", modes=())
    here.plug(5, "Locked", open_error=13)
    here.plug(6, "Image processor", driver="bcm2835-isp")
    (here.root / "dev/video-notes").write_text("")
    second, sensor, locked, tenth = cameras()
    assert second == Camera(
        "/dev/video2",
        "Second",
        "uvcvideo",
        "usb-simulated-2",
        (),
        (Format("GREY", (Sizes((64, 48), (64, 48)),)),),
    )
    assert (sensor.best_id, sensor.problem) == (
        "/dev/video4",
        "its picture must be set up by libcamera",
    )
    assert (locked.path, locked.name, locked.problem) == ("/dev/video5", "Locked", "permission denied")
    assert (tenth.path, tenth.best_id) == ("/dev/video10", "usb-Tenth_1-video-index0")
    assert told(tenth.formats) == "MJPG 640x480; YUYV 32x16 to 640x480"
    assert tenth.formats[0].sizes[0].rates == (30, 15)
    assert tenth.formats[1].sizes[0].holds(320, 240)
    assert not tenth.formats[1].sizes[0].holds(321, 240)


@pytest.mark.cameras
def test_a_driver_that_lists_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    Cameras.here().plug(modes=tuple(f"YUYV {width}x16@30" for width in range(16, 76)))
    monkeypatch.setattr(query, "MAX_SIZES", 7)
    [camera] = cameras()
    assert len(camera.formats[0].sizes) == 7
    monkeypatch.setattr(query, "MAX_FORMATS", 0)
    assert [camera.formats for camera in cameras()] == [()]


def test_a_machine_without_video_devices_has_no_cameras(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("agent.sources.v4l2.devices._DEV", tmp_path / "none")
    assert cameras() == []


@given(st.binary(max_size=64))
def test_a_name_is_always_fit_for_one_line(name: bytes) -> None:
    assert printable(name).isprintable()


def test_what_a_camera_can_is_told_in_bounds() -> None:
    many = tuple(Format("YUYV", tuple(Sizes((n, n), (n, n)) for n in range(100, 400))) for _ in range(3))
    assert len(told(many)) <= 300
    assert told(many).endswith(", ...")
    assert told(()) == "what it can give it does not say"


def test_formats_that_can_be_asked_for_are_those_that_opencv_turns_into_pictures() -> None:
    assert Options.model_json_schema()["properties"]["format"]["enum"] == ["auto", *PREFERRED]


rates = st.lists(st.floats(1, 240), max_size=3).map(lambda found: tuple(sorted(found, reverse=True)))
sizes = st.builds(
    lambda size, rates: Sizes(size, size, rates=rates),
    st.sampled_from([(640, 480), (320, 240), (1280, 720)]),
    rates,
)
formats = st.lists(
    st.builds(
        Format, st.sampled_from(["YUYV", "MJPG", "H264", "GREY"]), st.lists(sizes, max_size=4).map(tuple)
    ),
    max_size=4,
).map(tuple)


@given(formats, st.none() | st.floats(1, 120))
def test_the_chosen_format_has_the_size_and_no_readable_one_is_faster_unless_it_is_fast_enough(
    found: tuple[Format, ...], fps: float | None
) -> None:
    fastest = {
        form.fourcc: max([0.0, *(s.rates[0] if s.rates else 1000.0 for f in found for s in f.sizes
                                 if f.fourcc == form.fourcc and s.holds(640, 480))])
        for form in found if form.fourcc in PREFERRED
    }  # fmt: skip
    chosen = best_format(found, 640, 480, fps)
    if not any(fastest.values()):
        assert chosen == ""
        return
    assert fastest[chosen] >= min(max(fastest.values()), (fps or 15) * 0.99)
