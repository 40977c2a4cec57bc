"""RTSP cameras: a real server on the loopback that drops, freezes, vanishes, returns, and asks for a password."""

from __future__ import annotations

import os
import socket
import threading
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from agent.errors import SourceLost
from agent.sources import rtsp
from agent.sources.rtsp import Options, RtspSource, build
from agent.sources.streaming import reader as readers
from tests.simulators.rtsp_camera import RtspCamera

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.types import Frame

pytestmark = pytest.mark.rtsp

RECONNECTS = int(os.environ.get("EDGE_AGENT_TESTS_RECONNECTS", "40"))
SMALL = ("--fps", "100", "--size", "64x48")


@pytest.fixture(scope="module", params=["h264", "mjpeg"])
def camera(request: pytest.FixtureRequest) -> Iterator[RtspCamera]:
    """A camera that no test harms."""
    with RtspCamera(request.param, "--fps", "50") as camera:
        yield camera


@contextmanager
def opened(camera: RtspCamera, start: int = 0, **options: Any) -> Iterator[RtspSource]:
    with closing(build(Options(**{"url": camera.url(), "silence_s": 1, **options}), start=start)) as source:
        yield source


def read(source: RtspSource) -> Frame:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if frame := source.read(0.5):
            return frame
    raise AssertionError("no frame")


def lost(source: RtspSource) -> SourceLost:
    """Read until the source is lost; give the error."""
    with pytest.raises(SourceLost) as caught:
        while True:
            source.read(0.5)
    return in_one_line(caught.value)


def refused(**options: Any) -> SourceLost:
    with pytest.raises(SourceLost) as caught:
        build(Options(**options), start=0).close()
    return in_one_line(caught.value)


def in_one_line(error: SourceLost) -> SourceLost:
    assert error.hint
    assert "\n" not in str(error)
    return error


def reading() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if isinstance(thread, readers.Reader)]


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


def test_who_reads_late_gets_the_newest_picture_and_nothing_of_the_past(camera: RtspCamera) -> None:
    with opened(camera) as source:
        first = read(source).seq
        time.sleep(0.5)
        late = read(source)
        assert time.monotonic_ns() - late.captured_ns < 0.3e9
        assert late.seq == first + 1
        began = time.monotonic_ns()
        assert read(source).captured_ns > began - 0.1e9


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
                assert time.monotonic() - began < timeout + 0.2
        finally:
            camera.thaw()


def test_a_camera_that_freezes_is_lost_after_its_silence_and_its_reader_ends(camera: RtspCamera) -> None:
    with opened(camera) as source:
        read(source)
        camera.freeze()
        try:
            began = time.monotonic()
            assert "no picture for 1." in lost(source).problem
            assert 0.9 < time.monotonic() - began < 2.5
        finally:
            camera.thaw()
    assert reading() == []


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_camera_that_cuts_the_stream_is_lost_at_once_and_opened_again(
    camera: RtspCamera, transport: str
) -> None:
    with opened(camera, transport=transport, silence_s=30) as source:
        read(source)
        camera.do("drop")
        began = time.monotonic()
        assert lost(source).problem == "the stream ended"
        assert time.monotonic() - began < 5
    began = time.monotonic()
    with opened(camera) as source:
        read(source)
    assert time.monotonic() - began < 3


def test_a_camera_whose_pictures_stop_while_its_connection_lives_is_lost() -> None:
    with RtspCamera("h264") as camera, opened(camera) as source:
        read(source)
        camera.do("hold")
        assert "no picture for 1." in lost(source).problem


def test_a_camera_that_vanishes_is_refused_while_it_is_away_and_read_when_it_is_back_in_another_size() -> (
    None
):
    with RtspCamera("h264") as camera:
        with opened(camera) as source:
            assert read(source).data.shape == (240, 320, 3)
            camera.switch_off()
            began = time.monotonic()
            lost(source)
            assert time.monotonic() - began < 5
        assert "connection refused" in refused(url=camera.url()).problem
        camera.switch_on("--size", "160x120")
        began = time.monotonic()
        with opened(camera) as source:
            assert read(source).data.shape == (120, 160, 3)
        assert time.monotonic() - began < 3


def test_a_change_of_resolution_in_mid_stream_is_followed() -> None:
    with RtspCamera("h264", "--fps", "50") as camera, opened(camera) as source:
        assert read(source).data.shape == (240, 320, 3)
        camera.do("size 160 120")
        deadline = time.monotonic() + 10
        while (shape := read(source).data.shape) != (120, 160, 3):
            assert time.monotonic() < deadline, shape


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
        ("vp8", "its video is VP8, which is not read here. Set the camera to H.264, H.265 or MJPEG"),
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


def test_a_camera_that_nobody_knows_or_that_is_not_there_is_told_in_one_line() -> None:
    assert "known" in refused(url="rtsp://camera.invalid/x").problem
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert refused(url=f"rtsp://127.0.0.1:{port}/x?secret=1").subject == f"rtsp://127.0.0.1:{port}/x"


def test_a_call_that_does_not_return_is_told_and_the_next_opening_waits_for_its_end() -> None:
    with RtspCamera("mjpeg") as camera:
        options = Options(url=camera.url(), silence_s=1)
        reader = readers.start(camera.url(), "tcp", 60)  # its own time-out is of no help
        source = RtspSource(reader, options, 0)
        read(source)
        camera.freeze()
        assert "and OpenCV does not return" in lost(source).problem
        began = time.monotonic()
        source.close()
        assert time.monotonic() - began < readers.LEAVE_S + 0.5
        assert reading() == [reader]
        threading.Timer(0.5, camera.thaw).start()
        began = time.monotonic()
        with closing(build(options, start=1)) as source:
            assert time.monotonic() - began > 0.4
            assert reader not in reading()
            read(source)


def test_what_is_opened_again_and_again_leaves_no_thread_and_no_descriptor() -> None:
    def held() -> tuple[int, int]:
        return threading.active_count(), len([*Path("/proc/self/fd").iterdir()])

    with RtspCamera("mjpeg", *SMALL) as camera:
        for number in range(RECONNECTS):
            with opened(camera, silence_s=5) as source:
                read(source)
            if number == 0:
                before = held()
        assert held() <= before


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"url": "http://10.0.0.1/x"}, "it must be like rtsp://"),
        ({"url": "rtsps://10.0.0.1/x"}, "speaks no TLS"),
        ({"url": "rtsp://yard@10.0.0.1/x"}, "a name, a colon and a password"),
        ({"url": "rtsp://yard:hunter2@10.0.0.1:99999/x"}, "from 1 to 65535"),
        ({"url": "rtsp://yard:hunter2@10.0.0.1/x y"}, "it must be like rtsp://"),
        ({"url": "rtsp://yard:hunter2@10.0.0.1/x", "login": "/run/login"}, "leave one of them out"),
        ({"url": "rtsp://yard:hunter2@10.0.0.1/x", "transport": "http"}, "'tcp' or 'udp'"),
    ],
)
def test_options_that_cannot_do_are_refused_without_the_password(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said) as caught:
        Options(**options)
    assert "hunter2" not in str(caught.value)


def test_a_password_in_the_url_stands_in_no_description_of_the_options() -> None:
    options = Options(url="rtsp://yard:hunter2@10.0.0.1/x")
    assert "hunter2" not in f"{options} {options!r} {options.address}"


def test_it_says_that_it_is_best_read_apart_and_reaches_the_network_and_its_login() -> None:
    assert rtsp.APART is True
    needs = rtsp.needs(Options(url="rtsp://10.0.0.1/x", login="/run/login"))
    assert (needs.network, needs.read, needs.devices) == (True, ("/run/login",), ())
