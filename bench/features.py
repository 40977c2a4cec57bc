"""What it costs to make a window of samples into a model's input, kind by kind.

    python -m bench.features [--rounds N] [--json]

A window is a second of sound at 16 kHz, or 256 samples of an accelerometer's three channels. The kinds take
turns; a value is the processor time of one window: the median of all rounds, and the 95th percentile.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from typing import Any

import numpy as np

from agent.config.preparing import pre_of
from agent.pipeline.preprocess import Preprocessor
from agent.types import Frame, TensorSpec
from bench.figures import machine

_SECOND = {"rate": 16000, "frame": 480, "hop": 320}
_KINDS: tuple[tuple[str, dict[str, Any], tuple[int, int], tuple[int, ...]], ...] = (
    ("micro_speech", {"features": {"kind": "micro_speech"}}, (16000, 1), (1, 1960)),
    ("log_mel, 49 x 40", {"features": {"kind": "log_mel", **_SECOND}}, (16000, 1), (1, 49, 40, 1)),
    ("mfcc, 49 x 10", {"features": {"kind": "mfcc", "count": 10, **_SECOND}}, (16000, 1), (1, 49, 10, 1)),
    ("spectrum, 129 x 3", {"features": {"kind": "spectrum"}}, (256, 3), (1, 129, 3)),
    ("statistics, 9 x 3", {"features": {"kind": "statistics"}}, (256, 3), (1, 9, 3)),
    ("no features, zscore", {"normalise": {"kind": "zscore"}}, (256, 3), (1, 256, 3)),
    ("no features, as it is", {}, (256, 3), (1, 256, 3)),
)


def measured(rounds: int) -> dict[str, list[float]]:
    """Give the milliseconds of each round, by kind."""
    noise = np.random.default_rng(7)
    sides = []
    for name, pre, window, shape in _KINDS:
        spec = TensorSpec("x", "int8", shape, (0.1,), (0,))
        frame = Frame(0, 0, noise.normal(0, 0.1, window).astype(np.float32))
        sides.append((name, Preprocessor(spec, pre_of(pre)), frame, np.zeros(shape, np.int8)))
    found: dict[str, list[float]] = {name: [] for name, *_ in sides}
    for number in range(rounds + 10):
        for name, prepare, frame, into in sides:
            began = time.process_time_ns()
            prepare(frame, into)
            if number >= 10:  # caches are warm by then
                found[name].append((time.process_time_ns() - began) / 1e6)
    return found


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    found = measured(arguments.rounds)
    rows = [(name, statistics.median(one), float(np.percentile(one, 95))) for name, one in found.items()]
    if arguments.json:
        kinds = {name: {"p50_ms": round(p50, 4), "p95_ms": round(p95, 4)} for name, p50, p95 in rows}
        print(json.dumps({"machine": machine(), "windows": arguments.rounds, "kinds": kinds}))
        return 0
    print(f"machine: {machine()}")
    for name, p50, p95 in rows:
        print(f"{name:<24} p50 {p50:7.3f} ms   p95 {p95:7.3f} ms")
    return 0


if __name__ == "__main__":
    sys.exit(main())
