"""Trains the glyph classifier and writes its bundle: ``python -m models.glyphs.train [--out DIR]``.

Needs the extra ``train``. The same seed gives the same model on the same machine and packages.
Exit code 1: the quantized model misses its target in a condition.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from agent.sources.synthesis.glyphs import LABELS
from models import bundle
from models.glyphs import data, evaluate, network
from models.runner import RUNTIME, Runner
from models.training import cross_entropy, fit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.types import Array
    from models.glyphs.network import Params

VERSION = "1.0.0"
PICTURES, EPOCHS, BATCH, RATE = 60_000, 12, 32, 2e-3
CALIBRATION = 500
GOLDEN, TOLERANCE = 5, 0.1


def main() -> int:
    """Train, quantize, measure, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder for the bundle")
    parser.add_argument("--seed", type=int, default=1, help="of data and weights")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    began = time.monotonic()
    images, labels = data.training_set(PICTURES, args.seed)
    print(f"{len(images)} pictures drawn in {time.monotonic() - began:.0f} s", flush=True)
    params = train(images, labels, args.seed)
    content = quantized(params, images[:: len(images) // CALIBRATION])
    write(args.out, content)
    accuracy = {}
    for name, accuracy[name] in evaluate.measure(args.out):
        print(f"{accuracy[name]:.3f}  {name}", flush=True)
    worst = min(accuracy.values())
    print(f"{len(content)} bytes, worst condition {worst:.3f}, {time.monotonic() - began:.0f} s in all")
    return 0 if worst >= evaluate.TARGET else 1


def train(images: Array, labels: Array, seed: int) -> Params:
    """Fit the network to uint8 ``images`` and label indices."""
    steps = len(images) // BATCH
    losses: list[float] = []

    def report(number: int, value: float) -> None:
        losses.append(value)
        if number % steps == 0:
            print(f"epoch {number // steps} of {EPOCHS}: loss {np.mean(losses[-steps:]):.4f}", flush=True)

    def loss(params: Params, batch: Any, answers: Any) -> Any:
        return cross_entropy(network.logits(params, batch), answers)

    batches = _batches(images, labels, np.random.default_rng(seed))
    params: Params = fit(loss, network.initial(seed), batches, steps=steps * EPOCHS, rate=RATE, report=report)
    return params


def _batches(images: Array, labels: Array, rng: np.random.Generator) -> Iterator[tuple[Array, Array]]:
    """Shuffle each epoch, and turn and mirror each batch: a glyph stays what it is."""
    for _ in range(EPOCHS):
        order = rng.permutation(len(images))
        for start in range(0, len(images) - BATCH + 1, BATCH):
            chosen = order[start : start + BATCH]
            batch = np.rot90(images[chosen], int(rng.integers(4)), axes=(1, 2))
            yield (batch[:, :, ::-1] if rng.random() < 0.5 else batch), labels[chosen]


def quantized(params: Params, calibration: Array) -> bytes:
    """Write the network as int8, with ranges observed on ``calibration`` pictures."""
    layout, output = network.graph(params)
    observer = Runner(layout.write(output, "float32"), observe=True)
    ranges = observer.ranges(image / 255 for image in calibration)
    return layout.write(output, "int8", ranges)


def write(folder: Path, content: bytes) -> None:
    """Write the bundle."""
    model = bundle.put(folder, "glyphs.tflite", content)
    golden = [
        bundle.put_golden(folder, number, image, [expect], TOLERANCE)
        for number, (image, expect) in enumerate(_golden(Runner(content)))
    ]
    manifest = {
        "schema": 2,
        "name": "glyphs",
        "version": VERSION,
        "task": "classification",
        "license": "Apache-2.0",
        "model": model,
        "quantized": True,
        "labels": bundle.put_labels(folder, LABELS),
        "pre": {"resize": "stretch", "color": "rgb"},
        "post": {"kind": "classification", "top_k": 3, "min_score": 0.0},
        "golden": golden,
        "runtime": RUNTIME,
    }
    bundle.put_manifest(folder, manifest)


def _golden(runner: Runner) -> Iterator[tuple[Array, dict[str, Any]]]:
    """Give pictures of different glyphs that the model gets right, and what it answers."""
    seen: set[int] = set()
    for image, label in zip(*data.held_out(data.USUAL, evaluate.COUNT, data.HELD_OUT), strict=True):
        scores = runner.run(image / 255)
        best = int(scores.argmax())
        if best == label and best not in seen and len(seen) < GOLDEN:
            seen.add(best)
            yield image, {"label": LABELS[best], "score": round(float(scores[best]), 6)}


if __name__ == "__main__":
    sys.exit(main())
