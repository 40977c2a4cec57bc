"""Cameras that stream over RTSP: one that is fast, and one that gives four frames a second."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from agent.sources.streaming.reader import TCP_ONLY
from tests.simulators import plugging
from tests.simulators.examples.example import Example
from tests.simulators.rtsp_camera import RtspCamera

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def cameras(_: Path) -> Iterator[dict[str, Any]]:
    """Run a fast one for a test; the slow one has its address at its side."""
    with RtspCamera("mjpeg", "--fps", "100", "--size", "64x48", "--slow", "4") as camera:
        yield {"url": camera.url()}


EXAMPLES = {
    "rtsp": Example(
        "pictures",
        lambda _: {"url": "rtsp://127.0.0.1:1/none"},
        # OpenCV 4.11 ignores FFmpeg's options, and gives up on a stream of four frames a second.
        None if TCP_ONLY else lambda given: {"url": given["url"] + "/slow"},
        endless=True,
        beside=cameras,
        plug=plugging.streaming_camera,
        reopened=15,
    )
}
