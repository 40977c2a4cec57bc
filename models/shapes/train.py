"""Trains the shape detector and writes its bundle: ``python -m models.shapes.train [--out DIR]``.

Needs the extra ``train``. The same seed gives the same model on the same machine and packages.
Exit code 1: the quantized model misses its target in a condition.
"""

from __future__ import annotations

import argparse
import sys
import time
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from agent.sources.synthesis.glyphs import SHAPE_LABELS
from agent.tensors import dequantize
from models import bundle
from models.line import Line
from models.metrics import mean_average_precision
from models.runner import RUNTIME, Runner
from models.shapes import data, evaluate, network
from models.shapes.loss import loss
from models.training import fit
from models.variants import with_borders

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from agent.types import Array
    from models.quantize import Precision
    from models.shapes.network import Params

VERSION = "1.0.0"
PICTURES, EPOCHS, BATCH, RATE = 20_000, 8, 16, 2e-3
CALIBRATION = 400
STEEP = 8.0
"""Logits beyond this are cut off: their score is within 0.0004 of 0 or 1, and the rest get finer steps."""
COMPARED, FAINT = 200, 0.05
"""Frames on which the precisions are compared; scores that matter are above the second."""
TOLERANCE, CLEAR, SURE_SCORE = 0.1, 0.03, 0.55
"""Of golden answers: how far off they may be, and how far apart and how high their scores are."""


def main() -> int:
    """Train, quantize, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder for the bundle")
    parser.add_argument("--seed", type=int, default=1, help="of data and weights")
    parser.add_argument(
        "--variants", type=Path, help="folder for the same model with uint8 and float32 borders"
    )
    parser.add_argument("--pictures", type=int, default=PICTURES, help="how many to train on")
    parser.add_argument("--version", default=VERSION, help="the bundle's")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    began = time.monotonic()
    images, shown = data.training_set(args.pictures, args.seed)
    print(f"{len(images)} pictures drawn in {time.monotonic() - began:.0f} s", flush=True)
    params = train(images, shown, args.seed)
    files = written(params, images[:: max(1, len(images) // CALIBRATION)])
    write(args.out, files["int8"], args.version)
    for precision in ("uint8", "float32") if args.variants else ():
        bundle.put(args.variants, f"shapes-{precision}.tflite", with_borders(files["int8"], precision))
    worst = 1.0
    for name, value in evaluate.measure(args.out):
        print(f"{value:.3f}  {name}", flush=True)
        worst = min(worst, value)
    compare(args.out, files)
    print(f"{len(files['int8'])} bytes, worst {worst:.3f}, {time.monotonic() - began:.0f} s in all")
    return 0 if worst >= evaluate.TARGET else 1


def train(images: Array, shown: Array, seed: int) -> Params:
    """Fit the network to uint8 ``images`` and what they show (see ``data.training_set``)."""
    steps = len(images) // BATCH
    losses: list[float] = []

    def report(number: int, value: float) -> None:
        losses.append(value)
        if number % steps == 0:
            print(f"epoch {number // steps} of {EPOCHS}: loss {np.mean(losses[-steps:]):.4f}", flush=True)

    batches = _batches(images, shown, np.random.default_rng(seed))
    params: Params = fit(loss, network.initial(seed), batches, steps=steps * EPOCHS, rate=RATE, report=report)
    return params


def _batches(images: Array, shown: Array, rng: np.random.Generator) -> Iterator[tuple[Array, Array]]:
    """Shuffle each epoch, and mirror batches both ways: a shape stays what it is."""
    for _ in range(EPOCHS):
        order = rng.permutation(len(images))
        for start in range(0, len(images) - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            pictures, there = images[chosen], shown[chosen]
            for axis, (low, high) in ((1, (1, 3)), (2, (2, 4))):
                if rng.random() < 0.5:
                    pictures = np.flip(pictures, axis)
                    there[..., [low, high]] = 1 - there[..., [high, low]]
            yield pictures, there


def written(params: Params, calibration: Array) -> dict[Precision, bytes]:
    """Write the network in each precision, with ranges observed on ``calibration`` pictures."""
    layout, outputs = network.graph(params)
    plain = layout.write(outputs, "float32")
    ranges = Runner(plain, observe=True).ranges(image / 255 for image in calibration)
    low, high = ranges["logits"]
    ranges["logits"] = max(low, -STEEP), min(high, STEEP)
    return {
        "float32": plain,
        "int8": layout.write(outputs, "int8", ranges),
        "uint8": layout.write(outputs, "uint8", ranges),
    }


def write(folder: Path, content: bytes, version: str) -> None:
    """Write the bundle."""
    manifest: dict[str, Any] = {
        "schema": 2,
        "name": "shapes",
        "version": version,
        "task": "detection",
        "license": "Apache-2.0",
        "model": bundle.put(folder, "shapes.tflite", content),
        "quantized": True,
        "labels": bundle.put_labels(folder, SHAPE_LABELS),
        "pre": {"resize": "stretch", "color": "rgb"},
        "post": {"kind": "detection", "head": "centers", "min_score": 0.4, "iou": 0.5},
        "runtime": RUNTIME,
    }
    bundle.put_manifest(folder, manifest)
    manifest["golden"] = [
        bundle.put_golden(folder, number, picture, items, TOLERANCE)
        for number, (picture, items) in enumerate(_golden(Line.of(folder)))
    ]
    bundle.put_manifest(folder, manifest)


def _golden(line: Line) -> Iterator[tuple[Array, list[dict[str, Any]]]]:
    """Give a picture for each class, in which all is found, and surely, with what the decoder says of it."""
    due = list(SHAPE_LABELS)
    for frame, shown in islice(data.held_out(data.USUAL, data.HELD_OUT), evaluate.COUNT):
        picture = data.picture(frame)
        items = line.items(np.ascontiguousarray(picture[..., ::-1]))
        labels = sorted(str(item["label"]) for item in items)
        sure = all(item["score"] > SURE_SCORE for item in items)
        # Another runtime rounds otherwise, and must not swap two that are level.
        clear = all(one["score"] - other["score"] > CLEAR for one, other in pairwise(items))
        right = labels == sorted(one.label for one in shown)
        if len(shown) > 1 and due and due[0] in labels and right and sure and clear:
            del due[0]
            yield picture, [{key: item[key] for key in ("label", "score", "box")} for item in items]


def compare(folder: Path, files: dict[Precision, bytes]) -> None:
    """Print how far the network in other precisions is from int8: scores in steps of 1/256, and its mAP."""
    scores = {precision: _scores(folder, content) for precision, content in files.items()}
    for precision, content in files.items():
        apart = np.abs(scores[precision] - scores["int8"]) * 256
        found = np.maximum(scores[precision], scores["int8"]) >= FAINT
        line = Line.of(folder, content, evaluate.EVERYTHING)
        shown = evaluate.pictures(line, data.USUAL, evaluate.COUNT, data.HELD_OUT + 1000)
        print(
            f"{precision}: {len(content)} bytes, mAP {mean_average_precision(shown):.3f}, scores off by "
            f"{np.percentile(apart, 99):.2f} steps (99 %), {np.percentile(apart[found], 99):.1f} (99 % of "
            f"those above {FAINT}), {apart.max():.1f} at most",
            flush=True,
        )


def _scores(folder: Path, content: bytes) -> Array:
    """Give the real scores of a model for some held-out frames."""
    line = Line.of(folder, content)
    frames = islice(data.held_out(data.USUAL, data.HELD_OUT + 1), COMPARED)
    return np.stack([dequantize(line.outputs(frame)[0], line.signature.outputs[0]) for frame, _ in frames])


if __name__ == "__main__":
    sys.exit(main())
