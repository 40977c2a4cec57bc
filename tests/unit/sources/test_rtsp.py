"""RTSP cameras: a real server on the loopback, what it gives, and what is told of one that gives nothing."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from agent.errors import LoginRefused
from agent.sources import rtsp
from agent.sources.rtsp import Options
from agent.sources.streaming import reader as readers
from tests.simulators.rtsp_camera import RtspCamera
from tests.simulators.rtsp_reading import age_ms, opened, read, refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.rtsp


@pytest.fixture(scope="module", params=["h264", "mjpeg"])
def camera(request: pytest.FixtureRequest) -> Iterator[RtspCamera]:
    """A camera that no test harms."""
    with RtspCamera(request.param, "--fps", "50") as camera:
        yield camera


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_pictures_come_over_both_transports_numbered_and_dated(camera: RtspCamera, transport: str) -> None:
    before = time.monotonic_ns()
    with opened(camera, 7, transport=transport) as source:
        assert source.live is True
        frames = [read(source) for _ in range(5)]
    assert [frame.seq for frame in frames] == [7, 8, 9, 10, 11]
    assert {frame.data.shape for frame in frames} == {(240, 320, 3)}
    assert frames[-1].data.max() > 200  # the ball
    stamps = [before, *(frame.captured_ns for frame in frames), time.monotonic_ns()]
    assert stamps == sorted(stamps)


def test_h265_is_read_too() -> None:
    with RtspCamera("h265", "--fps", "50") as camera, opened(camera) as source:
        assert read(source).data.max() > 200


def test_who_reads_late_gets_the_newest_picture_and_nothing_of_the_past(camera: RtspCamera) -> None:
    with opened(camera) as source:
        first = read(source).seq
        time.sleep(2)
        late = read(source)
        assert time.monotonic_ns() - late.captured_ns < 1e9
        assert late.seq == first + 1
        began = time.monotonic_ns()
        assert read(source).captured_ns > began - 1e9


@pytest.mark.parametrize("codec", ["h264", "mjpeg"])
def test_the_first_picture_is_none_of_those_that_came_before_it_was_opened(codec: str) -> None:
    def first_ms(camera: RtspCamera) -> float:
        with opened(camera, silence_s=5) as source:
            return age_ms(read(source).data)

    with RtspCamera(codec, "--dated", "--fps", "15") as camera:
        # 70 and 2 ms; with OpenCV's defaults 1900 and 1300 ms. The machine may be busy once.
        assert any(first_ms(camera) < 700 for _ in range(3))


def test_a_picture_is_the_readers_own_until_the_next_is_read(camera: RtspCamera) -> None:
    with opened(camera) as source:
        for _ in range(3):
            picture = read(source).data
            kept = picture.copy()
            time.sleep(0.2)  # ten more have come
            assert (picture == kept).all()
        assert (read(source).data != kept).any()  # the ball moves


def test_a_read_without_a_picture_keeps_its_time(camera: RtspCamera) -> None:
    with opened(camera) as source:
        read(source)
        camera.freeze()
        try:
            while source.read(0) is not None:
                pass
            for timeout in (0.0, 0.2):
                began = time.monotonic()
                source.read(timeout)
                assert time.monotonic() - began < timeout + 2
        finally:
            camera.thaw()


def test_a_change_of_resolution_in_mid_stream_is_scaled_to_the_size_at_opening() -> None:
    with RtspCamera("h264", "--fps", "50") as camera, opened(camera) as source:
        whole = read(source).data.mean()
        camera.do("size 160 120")  # the ball stays as large in pixels: it fills four times as much
        deadline = time.monotonic() + 30
        while (frame := read(source).data).mean() < 2 * whole:
            assert time.monotonic() < deadline
        assert frame.shape == (240, 320, 3)


@pytest.mark.parametrize("way", ["basic", "digest"])
def test_a_login_comes_from_the_url_or_a_file_and_a_wrong_one_stands_in_no_error(
    way: str, tmp_path: Path
) -> None:
    file = tmp_path / "login"
    with RtspCamera("mjpeg", "--login", "yard:s@cret/1", "--auth", way) as camera:
        error = refused(url=camera.url())
        assert (error.problem, error.hint) == (
            "it wants a name and a password (401)",
            "Put user:password into a file, and name it in login",
        )
        error = refused(url=camera.url(login="yard:hunter2"))
        assert "it refuses this name and password (401)" in str(error)
        assert isinstance(error, LoginRefused)
        assert "yard" not in str(error)
        assert "hunter2" not in str(error)
        with opened(camera, url=camera.url(login="yard:s@cret%2F1")) as source:
            read(source)
        file.write_text("yard:s@cret/1\n")
        with opened(camera, login=str(file)) as source:
            read(source)
        error = refused(url=camera.url("/none", login="yard:s@cret%2F1"))
        assert error.problem == "it has nothing at this path (404)"


@pytest.mark.parametrize(
    ("codec", "said"),
    [
        ("j2k", "its video is JPEG2000, which is not read here. Set the camera to H.264, H.265 or MJPEG"),
        ("sound", "it streams no video. Name a stream of the camera that has video"),
    ],
)
def test_a_stream_that_is_nothing_for_us_is_told_in_one_line(codec: str, said: str) -> None:
    with RtspCamera(codec) as camera:
        assert said in str(refused(url=camera.url()))


def test_a_transport_that_the_camera_has_not_is_told_with_the_other() -> None:
    with RtspCamera("mjpeg", "--transport", "tcp") as camera:
        error = refused(url=camera.url(), transport="udp")
        assert error.problem == "it describes its stream, but does not start it"
        assert error.hint.startswith('Try transport = "tcp"')


def test_an_opencv_that_cannot_do_the_transport_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "TCP_ONLY", True)
    error = refused(url="rtsp://127.0.0.1:1/x", transport="udp")
    assert (error.problem, error.hint) == (
        "OpenCV 4.11 comes by TCP, whatever it is told",
        'Set transport = "tcp", or install a later OpenCV',
    )


def test_a_camera_that_nobody_knows_or_that_is_not_there_is_told_in_one_line() -> None:
    assert "known" in refused(url="rtsp://camera.invalid/x").problem
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert refused(url=f"rtsp://127.0.0.1:{port}/x?secret=1").subject == f"rtsp://127.0.0.1:{port}/x"


def test_pictures_that_are_too_large_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "MAX_FRAME_PIXELS", 320 * 240 - 1)
    with RtspCamera("mjpeg") as camera:
        error = refused(url=camera.url())
        assert (error.problem, error.hint) == (
            "320 x 240 pixels are too many",
            "Set the camera to a smaller size",
        )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": "http://192.0.2.1/x"}, "it must be like rtsp://"),
        ({"url": "rtsps://192.0.2.1/x"}, "speaks no TLS"),
        ({"url": "rtsp://yard@192.0.2.1/x"}, "a name, a colon and a password"),
        ({"url": "rtsp://yard:hunter2@192.0.2.1:99999/x"}, "from 1 to 65535"),
        ({"url": "rtsp://yard:hunter2@192.0.2.1/x y"}, "it must be like rtsp://"),
        ({"url": "rtsp://yard:hunter2@192.0.2.1/x", "login": "/run/login"}, "leave one of them out"),
        ({"url": "rtsp://yard:hunter2@192.0.2.1/x", "transport": "http"}, "'tcp' or 'udp'"),
    ],
)
def test_options_that_cannot_do_are_refused_without_the_password(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as caught:
        Options(**options)
    assert "hunter2" not in str(caught.value)


def test_a_password_in_the_url_stands_in_no_description_of_the_options() -> None:
    options = Options(url="rtsp://yard:hunter2@192.0.2.1/x")
    assert "hunter2" not in f"{options} {options!r} {options.address}"


def test_it_says_that_it_is_best_read_apart_and_reaches_the_network_and_its_login() -> None:
    assert rtsp.APART is True
    needs = rtsp.needs(Options(url="rtsp://192.0.2.1/x", login="/run/login"))
    assert (needs.network, needs.read, needs.devices) == (True, ("/run/login",), ())
