"""Reads RTSP cameras as tests want to: with a short silence, and each error in one line with a hint."""

from __future__ import annotations

import threading
import time
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from agent.errors import SourceLost
from agent.sources.rtsp import Options, RtspSource, build
from agent.sources.streaming import reader as readers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.types import Array, Frame
    from tests.simulators.rtsp_camera import RtspCamera


@contextmanager
def opened(camera: RtspCamera, start: int = 0, **options: Any) -> Iterator[RtspSource]:
    with closing(build(Options(**{"url": camera.url(), "silence_s": 1, **options}), start=start)) as source:
        yield source


def read(source: RtspSource) -> Frame:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if frame := source.read(0.5):
            return frame
    raise AssertionError("no frame")


def lost(source: RtspSource) -> SourceLost:
    """Read until the source is lost; give the error."""

    def read_on() -> None:
        while True:
            source.read(0.5)

    with pytest.raises(SourceLost) as caught:
        read_on()
    return in_one_line(caught.value)


def refused(**options: Any) -> SourceLost:
    with pytest.raises(SourceLost) as caught:
        build(Options(**options), start=0).close()
    return in_one_line(caught.value)


def in_one_line(error: SourceLost) -> SourceLost:
    assert error.hint
    assert "\n" not in str(error)
    return error


def age_ms(picture: Array) -> float:
    """Give how long ago a picture of a camera that was started with ``--dated`` was made."""
    now_ms = time.monotonic() * 1000
    columns = picture[120, 10::20].mean(axis=1) > 128
    return (now_ms - sum(1 << bit for bit, one in enumerate(columns) if one)) % (1 << len(columns))


def reading() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if isinstance(thread, readers.Reader)]
