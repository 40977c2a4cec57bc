"""What a frame costs that may get a snapshot: a copy, as ours, against encoding each, as a clip must.

    python -m bench.media [--rounds N] [--quick] [--json]

The frame of an event is known only after the inference, when the source's memory has other pixels: so each
frame that goes to the model is copied, and encoded if it has an event. The other side encodes each frame; so
a clip costs, for each of its frames, `fps` times a second. Sides take turns, and each value is a round's
median; cv2 has one thread, as it has in a worker.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from typing import TYPE_CHECKING

import cv2
import numpy as np

from agent.pipeline.media.picture import as_jpeg, fitted
from agent.sources.synthetic import Options, build
from bench.figures import Figure, report

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.types import Array

_SIZES = ((640, 480), (1280, 720), (1920, 1080))
_FRAMES, _WIDTH, _QUALITY = 50, 1280, 80


def frames(width: int, height: int) -> list[Array]:
    """Give some frames of the synthetic camera."""
    source = build(Options(width=width, height=height, fps=0), start=0)
    found = (source.read(1.0) for _ in range(_FRAMES))
    return [frame.data.copy() for frame in found if frame is not None]


def median_ms(work: Callable[[Array], object], pictures: list[Array]) -> float:
    """Give the median of what one picture takes."""
    took = []
    for picture in pictures:
        began = time.perf_counter()
        work(picture)
        took.append(time.perf_counter() - began)
    return 1000 * statistics.median(took)


def measure(rounds: int) -> list[Figure]:
    """Measure frames of each size."""
    figures = []
    for width, height in _SIZES:
        pictures = frames(width, height)
        ways: tuple[Callable[[Array], object], ...] = (np.copy, _encoded)
        found: list[list[float]] = [[], []]
        for number in range(rounds):
            for at in (0, 1) if number % 2 else (1, 0):
                found[at].append(median_ms(ways[at], pictures))
        figures.append(
            Figure(f"a frame of {width}x{height}", "ms", tuple(found[0]), tuple(found[1]), 0.2, "less")
        )
    return figures


def _encoded(picture: Array) -> bytes:
    return as_jpeg(fitted(picture, _WIDTH), _QUALITY)


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--quick", action="store_true", help="3 rounds: a look, no proof")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    return report(measure(3 if given.quick else given.rounds), as_json=given.json)


if __name__ == "__main__":
    sys.exit(main())
