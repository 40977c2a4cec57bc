"""How old pictures of an RTSP camera are when they are read, and how soon the first one comes.

    python -m bench.rtsp [--rounds N] [--quick] [--json]

A camera of 15 frames/s, 320x240, on this machine (GStreamer's RTSP server), whose pictures say when they were
made. Ours is the source ``rtsp``; the other side is OpenCV's capture, opened with its defaults and read in a
loop. Needs what the tests of ``rtsp`` need.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2

from agent.sources._quiet import quiet
from agent.sources.rtsp import Options, build
from bench.figures import Figure, report
from tests.simulators.rtsp_camera import RtspCamera, missing
from tests.simulators.rtsp_reading import age_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.types import Array

_FPS = 15
_SETTLED = 2 * _FPS
"""Pictures after which what the camera had sent before is through."""


@dataclass(frozen=True, slots=True)
class Run:
    """One stream that was opened and read.

    Attributes:
        wait_ms: from the begin of opening to the first picture.
        first_ms: how old that one was.
        age_ms: how old pictures were later, the median.
    """

    wait_ms: float
    first_ms: float
    age_ms: float


def main(arguments: list[str] | None = None) -> int:
    """Measure, and give the exit code: 1 when a target is missed, 2 when there is no camera."""
    parser = argparse.ArgumentParser(prog="bench.rtsp")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args(arguments)
    if what := missing():
        print(f"bench.rtsp: {what}", file=sys.stderr)
        return 2
    quiet()
    figures: list[Figure] = []
    for codec, name in (("h264", "H.264"), ("mjpeg", "MJPEG")):
        pairs = [_round(codec) for _ in range(2 if given.quick else given.rounds)]
        # A picture in MJPEG is a millisecond old, and one more thread has it in its hands.
        later = 0.6 if codec == "h264" else 2.0
        figures += _judged(name, later, [a for a, _ in pairs], [b for _, b in pairs])
    return report(figures, as_json=given.json)


def _judged(name: str, later: float, ours: list[Run], other: list[Run]) -> list[Figure]:
    def both(value: Callable[[Run], float]) -> tuple[tuple[float, ...], tuple[float, ...]]:
        return tuple(map(value, ours)), tuple(map(value, other))

    return [
        Figure(f"{name}: age of the first picture", "ms", *both(lambda run: run.first_ms), 0.5, "less"),
        Figure(f"{name}: until the first picture", "ms", *both(lambda run: run.wait_ms), 1.0, "less"),
        Figure(f"{name}: age of a picture later", "ms", *both(lambda run: run.age_ms), later, "less"),
    ]


def _round(codec: str) -> tuple[Run, Run]:
    """Open and read a camera of its own with each, one after the other."""
    runs = []
    for pictures in (_ours, _plain):
        with RtspCamera(codec, "--dated", "--fps", str(_FPS)) as camera:
            runs.append(_run(pictures(camera.url())))
    return runs[0], runs[1]


def _run(pictures: Iterator[Array]) -> Run:
    began = time.monotonic()
    first_ms = age_ms(next(pictures))
    wait_ms = (time.monotonic() - began) * 1000
    ages = [age_ms(next(pictures)) for _ in range(2 * _SETTLED)]
    return Run(wait_ms, first_ms, statistics.median(ages[_SETTLED:]))


def _ours(url: str) -> Iterator[Array]:
    with closing(build(Options(url=url), start=0)) as source:
        while True:
            if frame := source.read(1):
                yield frame.data


def _plain(url: str) -> Iterator[Array]:
    os.environ.pop("OPENCV_FFMPEG_CAPTURE_OPTIONS", None)  # what ours has set
    capture = cv2.VideoCapture(url, cv2.CAP_FFMPEG)
    try:
        while True:
            read, image = capture.read()
            if not read:
                return
            yield image
    finally:
        capture.release()


if __name__ == "__main__":
    sys.exit(main())
