"""A motion gate before the model, against the model on each frame: on a still scene with rare motion.

    python -m bench.motion [--models DIR] [--frames N] [--rounds N] [--quick] [--json]

The inferences are counted by the ledgers of two real workers on the same frames of the synthetic camera, once
with the gate and once without; each round has a scene of its own. The ledgers must balance, and each frame of
which the camera's own truth says that a shape is in view must have a result: else the bench fails.

Rare means that at most a tenth of the frames show a shape. They are played faster than a camera would give
them, so ``hold_s`` is short. What the gate costs a frame is timed beside what the model costs a frame,
preparation and inference, on the same frames, in turns: of ``shapes``, which is tiny, and of a large model.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from ai_edge_litert.interpreter import Interpreter

from agent import resources
from agent.backends import tflite
from agent.config.pipelines import Plugin
from agent.config.tables import Deadlines
from agent.foreground import Foreground
from agent.gates import motion
from agent.manifest import Pre
from agent.pipeline.preprocess import Preprocessor
from agent.sources.synthesis import still
from agent.sources.synthesis.drawing import Camera
from agent.sources.synthesis.scene import SCENE_FRAMES
from agent.sources.synthesis.shapes import sights
from agent.types import Frame
from agent.workers.spec import LaneSpec
from bench.figures import Figure, report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.ledger import Ledger

_SIZE = (640, 480)
_SIZES = (_SIZE, (1920, 1080))
_OTHER = "coco_ssd_mobilenet_v1_1.0_quant_2018_06_29"
_SHARE = 0.2
_GATE = {"kind": "motion", "hold_s": 0.02, "every_s": 0}
_RARE = 0.1
_IN_VIEW = 0.02
"""Less of a shape than this is a sliver at the frame's edge."""
_TIMED = 120
_FRAME_NS = 33_333_333


def run(seed: int, frames: int, *, gated: bool) -> tuple[set[int], Ledger]:
    """Run a worker over the scene; give which frames have a result, and its ledger."""
    width, height = _SIZE
    spec = LaneSpec(
        pipeline="yard",
        model="shapes",
        source="synthetic",
        source_options={
            "scene": "still",
            "width": width,
            "height": height,
            "fps": 0,
            "seed": seed,
            "frames": frames,
        },
        gates=(Plugin.model_validate(_GATE),) if gated else (),
        once=True,
    )
    lane = Foreground(spec, Deadlines())
    answered = {one.frame for some in lane.run() for one in some if one.kind == "detection"}
    return answered, lane.outcome.ledger


def in_view(seed: int, frames: int) -> list[int]:
    """Give the frames that show a shape."""
    busy = [number for number in range(-(-frames // SCENE_FRAMES)) if still.scene(seed, number).movers]
    within = [at for number in busy for at in range(number * SCENE_FRAMES, (number + 1) * SCENE_FRAMES)]
    return [
        at
        for at in within
        if at < frames and any(one.visible > _IN_VIEW for one in sights(seed, at, *_SIZE, scenes=still.scene))
    ]


def count(seeds: Iterator[int], frames: int, rounds: int) -> Figure:
    """Count the inferences of both ways; end the bench where one is missed or a ledger does not balance."""
    ours, other = [], []
    for _ in range(rounds):
        seed = next(seed for seed in seeds if 0 < len(in_view(seed, frames)) <= _RARE * frames)
        shown = in_view(seed, frames)
        answered, gated = run(seed, frames, gated=True)
        _, whole = run(seed, frames, gated=False)
        missed = [at for at in shown if at not in answered]
        print(
            f"seed {seed}: {len(shown)} of {frames} frames show a shape, {len(missed)} of them missed;"
            f" with the gate {gated.inferred} inferred and {gated.gated} gated, without {whole.inferred}",
            file=sys.stderr,
            flush=True,
        )
        if missed or not (gated.balanced and whole.balanced and gated.captured == whole.captured == frames):
            sys.exit(f"seed {seed}: missed {missed}, ledgers {gated} and {whole}")
        ours.append(float(gated.inferred))
        other.append(float(whole.inferred))
    return Figure("inferences, still scene, rare motion", "frames", tuple(ours), tuple(other), _SHARE, "less")


def timed(path: Path, size: tuple[int, int], target: float, rounds: int) -> Figure:
    """Time the gate and the model on the same frames, in turns: the median of each round."""
    cv2.setNumThreads(1)
    spec = tflite.signature(tflite.Options(), path.read_bytes(), path.stem).inputs[0]
    prepare, tensor = Preprocessor(spec, Pre()), np.empty(spec.shape, spec.dtype)
    interpreter = Interpreter(model_path=str(path), num_threads=1)
    interpreter.allocate_tensors()
    gate = motion.build(motion.Options(hold_s=0, every_s=0))

    def model(frame: Frame) -> None:
        prepare(frame, tensor)
        interpreter.set_tensor(interpreter.get_input_details()[0]["index"], tensor)
        interpreter.invoke()

    camera = Camera(*size, 1, 6.0, 0.0, scenes=still.scene)
    found: tuple[list[float], list[float]] = ([], [])
    seq = 0
    for _ in range(rounds):
        took: tuple[list[float], list[float]] = ([], [])
        for _ in range(_TIMED):
            frame = Frame(seq, seq * _FRAME_NS, camera.draw(seq % SCENE_FRAMES))  # the first scene is empty
            seq += 1
            for at in (0, 1) if seq % 2 else (1, 0):
                took[at].append(_took((gate.admit, model)[at], frame))
        for at in (0, 1):
            found[at].append(statistics.median(took[at]) * 1e6)
    width, height = size
    name = f"gate of {path.stem[:18]}, {width}x{height}"
    return Figure(name, "us/frame", tuple(found[0]), tuple(found[1]), target, "less")


def _took(work: Callable[[Frame], object], frame: Frame) -> float:
    began = time.perf_counter()
    work(frame)
    return time.perf_counter() - began


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--models", type=Path, default=Path(__file__).parents[2] / "shared" / "models")
    parser.add_argument("--frames", type=int, default=6000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="3 rounds of 1200 frames: a look, no proof")
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rounds, frames = (3, 1200) if given.quick else (given.rounds, given.frames)
    models = [(resources.bundled_models()["shapes"] / "shapes.tflite", 2.0)]
    if (path := given.models / f"{_OTHER}.tflite").exists():
        models.append((path, 0.1))
    figures = [count(iter(range(10_000)), frames, rounds)]
    figures += [timed(path, size, target, rounds) for path, target in models for size in _SIZES]
    return report(figures, as_json=given.json)


if __name__ == "__main__":
    sys.exit(main())
