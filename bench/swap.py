"""A running pipeline changes its model: frames that it misses, and the longest gap between two results.

    python -m bench.swap [--models DIR] [--rounds N] [--quick] [--json]

A camera of 30 frames/s, 640x480, drawn in the worker, beside a process that keeps a core busy. Ours is a swap
to a model that is not resident: load it beside the one that serves, change between two frames. The other side
is what one would write: stop, load, start, as ``Lane.restart`` does it. A gap is looked for from the request
until half a second after the first result of the new model; controls look for it where nothing changes.
"""

from __future__ import annotations

import argparse
import itertools
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agent import resources
from agent.config.tables import Deadlines
from agent.workers.lane import Lane
from agent.workers.policy import State
from agent.workers.spec import LaneSpec
from bench.figures import Figure, report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FPS = 30
_INTERVAL_MS = 1000 / _FPS
_PAIRS = (
    ("mobilenet_v1_0.25_128_quant", "mobilenet_v2_1.0_224_quant"),
    ("mobilenet_v1_0.25_128_quant", "movenet_single_pose_lightning_ptq"),
)
_BEFORE_S, _AFTER_S = 1.5, 0.5
_LONGEST_S = 30.0
_AGAINST_RESTART = 0.5


@dataclass(frozen=True, slots=True)
class Change:
    """What one change cost: frames that the camera gave and nobody answered, and the longest gap."""

    missed: int
    gap_ms: float


class Line:
    """A pipeline, and when each of its results came.

    Attributes:
        came: time of arrival, seconds, of each result; a restarted worker counts its frames on.
        captured: time of capture of each result, nanoseconds.
    """

    def __init__(self, model: Path) -> None:
        spec = LaneSpec(
            pipeline="bench",
            model=str(model),
            bundles=str(model.parent),  # what it may read besides
            task="tensor",
            source="synthetic",
            source_options={"fps": _FPS, "width": 640, "height": 480},
        )
        self.lane = Lane(spec, Deadlines())
        self.came: list[float] = []
        self.captured: list[int] = []
        self._token = 0
        self._swapped = 0

    def until(self, condition: Callable[[], bool]) -> None:
        """Turn the lane until it has come to that."""
        give_up = time.monotonic() + _LONGEST_S
        while not condition():
            assert time.monotonic() < give_up, (self.lane.state, self.lane.fault)
            over = self.lane.run is not None and self.lane.run.process.exit_code() is not None
            records = self.lane.receive()
            self.came += [time.monotonic()] * len(records)
            self.captured += [record.captured_ns for record in records]
            if over and not records:
                self.lane.reap(time.monotonic())
            self.lane.tick(time.monotonic())
            for reply in self.lane.take_replies():
                assert reply.type == "swapped", reply
                self._swapped = reply.token
            time.sleep(0.0005)

    def wait(self, seconds: float) -> None:
        """Turn it for so long."""
        until = time.monotonic() + seconds
        self.until(lambda: time.monotonic() >= until)

    def swap(self, model: Path) -> Change:
        """Swap to a model that is not resident."""
        self.lane.settle()
        self.wait(_BEFORE_S)
        first = len(self.came)
        self._token += 1
        assert self.lane.swap(str(model), "", self._token)
        self.until(lambda: self._swapped == self._token)
        self.wait(_AFTER_S)
        return self._change(first)

    def restart(self, model: Path) -> Change:
        """Stop, load, start."""
        self.wait(_BEFORE_S)
        first = len(self.came)
        self.lane.serve(str(model), "")
        assert self.lane.run is not None
        pid = self.lane.run.process.pid
        self.lane.restart(time.monotonic())
        self.until(lambda: self.lane.run is not None and self.lane.run.process.pid != pid)
        self.until(lambda: self.lane.state is State.RUNNING)
        count = len(self.came)
        self.until(lambda: len(self.came) > count)
        self.wait(_AFTER_S)
        return self._change(first)

    def nothing(self) -> Change:
        """Change nothing, for as long as a swap takes or longer."""
        first = len(self.came)
        self.wait(_AFTER_S + 0.5)
        return self._change(first)

    def _change(self, first: int) -> Change:
        came, captured = self.came[first - 1 :], self.captured[first - 1 :]
        gaps = [1000 * (two - one) for one, two in itertools.pairwise(came)]
        steps = [(two - one) / 1e6 / _INTERVAL_MS for one, two in itertools.pairwise(captured)]
        return Change(sum(max(0, round(step) - 1) for step in steps), max(gaps))


def main() -> int:
    """Measure and print; give the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=Path(__file__).parents[2] / "shared" / "models")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--idle", action="store_true", help="keep no core busy")
    parser.add_argument("--quick", action="store_true", help="3 rounds: a look, no proof")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    rounds = 3 if arguments.quick else arguments.rounds
    pairs = [tuple(arguments.models / f"{name}.tflite" for name in pair) for pair in _PAIRS]
    pairs = [pair for pair in pairs if all(path.exists() for path in pair)] or [_bundled()]
    figures = []
    with _busy(wanted=not arguments.idle):
        for small, large in pairs:
            figures += _measure(small, large, rounds)
    return report(figures, as_json=arguments.json)


def _bundled() -> tuple[Path, Path]:
    known = resources.bundled_models()
    return known["glyphs"] / "glyphs.tflite", known["shapes"] / "shapes.tflite"


def _measure(small: Path, large: Path, rounds: int) -> list[Figure]:
    ours, other, control, after, lost = [], [], [], [], 0
    for number in range(rounds):
        with _running(small) as line:
            control.append(line.nothing())
            ours.append(line.swap(large))
            ledger = line.lane.ledger
            lost += ledger.lost + sum(ledger.dropped.values()) + sum(ledger.failed.values())
            after.append(line.nothing())
        with _running(small) as line:
            other.append(line.restart(large))
        still = f"none {control[-1]}, {after[-1]}"
        _say(f"{large.stem} {number + 1}/{rounds}: {ours[-1]}, restart {other[-1]}, {still}")
    _say(f"{large.stem}: by the ledger {lost} frames dropped, failed or lost around {rounds} swaps")
    for whose, quiet in (("old", control), ("new", after)):
        gaps = sorted(one.gap_ms for one in quiet)
        gap = f"gap {gaps[rounds // 2]:.1f} ms, {gaps[-1]:.1f} at the most"
        _say(f"  without a change, {whose} model: {sum(one.missed for one in quiet)} missed, {gap}")
    return _figures(large.stem, ours, other)


def _figures(name: str, ours: list[Change], other: list[Change]) -> list[Figure]:
    gaps = tuple(one.gap_ms for one in ours)
    restarts = tuple(one.gap_ms for one in other)
    missed = tuple(float(one.missed) for one in ours), tuple(float(one.missed) for one in other)
    limit = (2 * _INTERVAL_MS,) * len(gaps)
    return [
        Figure(f"{name[:24]}: missed, against a restart", "frames", *missed, 0.0, "less"),
        Figure(f"{name[:24]}: gap, against 2 intervals", "ms", gaps, limit, 1.0, "less"),
        Figure(f"{name[:24]}: gap, against a restart", "ms", gaps, restarts, _AGAINST_RESTART, "less"),
    ]


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def _running(model: Path) -> Iterator[Line]:
    line = Line(model)
    line.lane.start(time.monotonic())
    try:
        line.until(lambda: len(line.came) > _FPS)
        yield line
    finally:
        line.lane.stop(time.monotonic())
        line.until(lambda: line.lane.run is None)


@contextmanager
def _busy(*, wanted: bool) -> Iterator[None]:
    """Keep a core busy."""
    if not wanted:
        yield
        return
    hog = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        yield
    finally:
        hog.kill()
        hog.wait()


if __name__ == "__main__":
    sys.exit(main())
