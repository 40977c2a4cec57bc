"""RTSP cameras that freeze, cut the stream, vanish and return: noticed in time, with nothing left behind."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest

from agent.sources.rtsp import Options, RtspSource
from agent.sources.streaming import describe
from agent.sources.streaming import reader as readers
from tests.simulators.rtsp_camera import RtspCamera
from tests.simulators.rtsp_reading import lost, opened, read, reading, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.rtsp

SMALL = ("--fps", "100", "--size", "64x48")


@pytest.fixture(scope="module", params=["h264", "mjpeg"])
def camera(request: pytest.FixtureRequest) -> Iterator[RtspCamera]:
    """A camera that no test harms."""
    with RtspCamera(request.param, "--fps", "50") as camera:
        yield camera


def test_a_camera_that_freezes_is_lost_after_its_silence_and_its_reader_ends(camera: RtspCamera) -> None:
    with opened(camera) as source:
        read(source)
        camera.freeze()
        try:
            began = time.monotonic()
            assert "no picture for 1." in lost(source).problem
            assert 0.9 < time.monotonic() - began < 5
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
    assert time.monotonic() - began < 10  # under 3 s on a machine with nothing else to do


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
        assert time.monotonic() - began < 10  # as above


def test_a_camera_that_hangs_is_given_up_without_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(describe, "ANSWER_S", 0.3)
    with RtspCamera("mjpeg") as camera:
        camera.freeze()
        began = time.monotonic()
        assert "no answer in 0.3 s" in refused(url=camera.url()).problem
        assert time.monotonic() - began < readers.OPEN_S / 2
        camera.thaw()


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
        assert time.monotonic() - began < readers.LEAVE_S + 5
        assert reading() == [reader]
        threading.Timer(0.5, camera.thaw).start()
        following = readers.start(camera.url(), "tcp", 5)
        assert reading() == [following]
        assert following.leave(10)
