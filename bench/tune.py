"""What the tuner chooses, against the default: never slower by more than 5 %, one thread where two are slow.

    python -m bench.tune [--models DIR] [--seconds S] [--quick] [--json]

Each model is tuned as ``edge-agent bench --tune`` does it. Then the choice and the default run again in new
processes, interleaved round by round: compared is what was chosen with what would have run, on other samples
than those that it was chosen by. Without the XNNPACK kernels, whose threads cost a lot on some machines, one
thread and two are tuned by themselves: that which is slower must not be chosen.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from agent import resources
from agent.boards.machine import cores
from agent.tuning.bench import measure
from agent.tuning.choosing import TIE, choose
from agent.tuning.messages import TrialSpec
from agent.tuning.setting import Setting, grid, usual_threads
from agent.workers.spec import LaneSpec
from bench.figures import Figure, report

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.tuning.measured import Measured

_DEFAULT, _BUILTIN = Setting(), Setting(xnnpack=False)
_SHARED = (
    "kws_ref_model",
    "vww_96_int8",
    "mobilenet_v1_0.25_128_quant",
    "mobilenet_v2_1.0_224_quant",
    "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29",
)
_NOT_SLOWER = 0.95


def main() -> int:
    """Measure and print; give the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=Path(__file__).parents[2] / "shared" / "models")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each run of a model")
    parser.add_argument("--quick", action="store_true", help="1 second: a look, no proof")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    seconds = 1.0 if arguments.quick else arguments.seconds
    models = list(resources.bundled_models().values())
    models += [path for name in _SHARED if (path := arguments.models / f"{name}.tflite").exists()]
    figures = []
    for model in models:
        figures += _against_default(model, seconds)
        figures += _threads(model, seconds)
    return report(figures, as_json=arguments.json)


def _against_default(model: Path, seconds: float) -> list[Figure]:
    """Tune a model; then compare what was chosen with the default anew."""
    settings = grid(usual_threads(cores(), _DEFAULT.threads), [], _DEFAULT)
    tuned, _ = measure(settings, _spec_of(model, _DEFAULT), seconds)
    choice = choose(tuned)
    assert choice is not None, [one.problem for one in tuned]
    _say(f"{model.stem}: {choice.setting}: {choice.why}")
    for one in tuned:
        _say(f"    {one.setting}: p95 {_p95(one)} ms {one.problem}".rstrip())
    (ours, other), _ = measure([choice.setting, _DEFAULT], _spec_of(model, choice.setting), seconds)
    what = f"{model.stem[:16]} ({choice.setting.kernels} {choice.setting.threads})"
    speed = Figure(f"{what}: speed", "1/s", _speed(ours.p50s), _speed(other.p50s), _NOT_SLOWER, "more")
    if (
        choice.setting == _DEFAULT
    ):  # both sides are the same: one figure shows how much the machine's noise is
        return [speed]
    p95 = Figure(f"{what}: 1 / p95", "1/s", _speed(ours.p95s), _speed(other.p95s), _NOT_SLOWER, "more")
    return [speed, p95]


def _threads(model: Path, seconds: float) -> list[Figure]:
    """Tune between one thread and two of the runtime's own kernels; nothing where two are no slower."""
    two = Setting(2, xnnpack=False)
    tuned, _ = measure([_BUILTIN, two], _spec_of(model, _BUILTIN), seconds)
    choice = choose(tuned)
    if choice is None or cores() < 2 or not tuned[1].rounds:
        return []
    slower = statistics.median(b / a for a, b in zip(tuned[0].p95s, tuned[1].p95s, strict=True))
    _say(f"{model.stem}, builtin: two threads take {slower:.2f} times as long: {choice.setting} is chosen")
    if slower <= 1 + TIE:
        return []
    figure = f"{model.stem[:16]} (builtin): chosen, against 2"
    ours, other = _speed(choice.measured.p95s), _speed(tuned[1].p95s)
    return [Figure(figure, "1/s", ours, other, 1.0, "more")]


def _spec_of(model: Path, default: Setting) -> Callable[[Setting], TrialSpec]:
    def given(setting: Setting) -> dict[str, object]:
        return {"threads": setting.threads, "xnnpack": setting.xnnpack}

    def spec_of(setting: Setting) -> TrialSpec:
        lane = LaneSpec(
            pipeline="bench", model=str(model), source="synthetic", backend_options=given(setting), prove=True
        )
        return TrialSpec(lane=lane.model_dump(), reference={} if setting == default else given(default))

    return spec_of


def _speed(times: list[float]) -> tuple[float, ...]:
    return tuple(float(f"{1000 / one:.4g}") for one in times)


def _p95(one: Measured) -> str:
    return f"{one.share(0.95):.3f}" if one.times else "-"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
