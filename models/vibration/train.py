"""Trains the vibration model and writes its bundle: ``python -m models.vibration.train [--out DIR]``.

Needs the extra ``train``. The same seed gives the same model on the same machine and packages.
Exit code 1: the quantized model's ROC AUC on held-out windows of the sensor as it comes is below 0.95.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jax import numpy as jnp

from agent.sources.synthesis.episodes import FAULTS
from models import bundle
from models.line import Line
from models.runner import RUNTIME, Runner
from models.training import fit
from models.vibration import data, evaluate, network

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.types import Array
    from models.vibration.network import Params

VERSION = "1.0.0"
MACHINES, WINDOWS = 2_000, 20
BATCH, EPOCHS, RATE = 200, 8, 1e-3
POWER = 6
"""The loss is a mean of so high a power of the windows' errors: the threshold stands where the worst are."""
CALIBRATION = 1_000
VALIDATION_MACHINES = 2_000
FALSE_ALARMS = 0.001
"""Share of healthy validation windows above the threshold."""
HEALTHY_GOLDEN, TOLERANCE = 2, 0.05


def main() -> int:
    """Train, quantize, set the threshold, write, measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent, help="folder for the bundle")
    parser.add_argument("--seed", type=int, default=1, help="of data and order")
    args = parser.parse_args()
    began = time.monotonic()
    windows = data.healthy(args.seed, MACHINES, WINDOWS)
    print(f"{len(windows)} windows made in {time.monotonic() - began:.0f} s", flush=True)
    params = train(network.seen(windows.reshape(len(windows), -1)), args.seed)
    content = quantized(params, windows[:: len(windows) // CALIBRATION])
    threshold = calibrated(content)
    write(args.out, content, threshold)
    area = dict(evaluate.measure(args.out))
    for name, value in area.items():
        print(f"{value:.3f}  {name}", flush=True)
    print("alarms:")
    for name, value in evaluate.rates(args.out):
        print(f"{value:.4f}  {name}")
    print(f"{len(content)} bytes, {time.monotonic() - began:.0f} s in all")
    return 0 if area[evaluate.USUAL] >= evaluate.TARGET else 1


def train(windows: Array, seed: int) -> Params:
    """Fit the network to healthy ``windows``, rounded as the input rounds them: float32 (all, INPUTS), g."""
    steps = len(windows) // BATCH
    losses: list[float] = []

    def report(number: int, value: float) -> None:
        losses.append(value)
        if number % steps == 0:
            print(f"epoch {number // steps} of {EPOCHS}: loss {np.mean(losses[-steps:]):.4f}", flush=True)

    def loss(params: Params, batch: Any) -> Any:
        errors = jnp.mean((network.reconstruct(params, batch) - batch) ** 2, axis=1)
        return jnp.mean((errors / scale) ** POWER) ** (1 / POWER)

    start = network.initial(windows)
    scale = float(np.mean((network.reconstruct(start, windows) - windows) ** 2))
    batches = _batches(windows, np.random.default_rng(seed))
    params: Params = fit(loss, start, batches, steps=steps * EPOCHS, rate=RATE, report=report)
    return params


def _batches(windows: Array, rng: np.random.Generator) -> Iterator[tuple[Array]]:
    """Shuffle each epoch."""
    for _ in range(EPOCHS):
        for chosen in rng.permutation(len(windows)).reshape(-1, BATCH):
            yield (windows[chosen],)


def quantized(params: Params, calibration: Array) -> bytes:
    """Write the network as int8, with ranges observed on ``calibration`` windows."""
    layout, output = network.graph(params)
    ranges = Runner(layout.write(output, "float32"), observe=True).ranges(calibration)
    return layout.write(output, "int8", {**ranges, "code": (-1.0, 1.0)})


def calibrated(content: bytes) -> float:
    """Set the threshold: the error that ``FALSE_ALARMS`` of healthy validation windows reach."""
    line = Line(content, "anomaly", {"threshold": 1.0})
    windows = data.healthy(data.VALIDATION, VALIDATION_MACHINES, WINDOWS)
    errors = [line.items(window)[0]["error"] for window in windows]
    return float(f"{np.quantile(errors, 1 - FALSE_ALARMS):.3g}")


def write(folder: Path, content: bytes, threshold: float) -> None:
    """Write the bundle."""
    model = bundle.put(folder, "vibration.tflite", content)
    golden = [
        bundle.put_golden(folder, number, window, [expect], TOLERANCE)
        for number, (window, expect) in enumerate(_golden(Line(content, "anomaly", {"threshold": threshold})))
    ]
    manifest = {
        "schema": 2,
        "name": "vibration",
        "version": VERSION,
        "task": "anomaly",
        "license": "Apache-2.0",
        "model": model,
        "quantized": True,
        "post": {"kind": "anomaly", "threshold": threshold},
        "golden": golden,
        "runtime": RUNTIME,
    }
    bundle.put_manifest(folder, manifest)


def _golden(line: Line) -> Iterator[tuple[Array, dict[str, Any]]]:
    """Give healthy windows and a severe one of each fault, and what the model says of them."""
    wanted = ["", *FAULTS, *[""] * (HEALTHY_GOLDEN - 1)]
    for window, truth in data.held_out(data.HELD_OUT + 900_000, 100_000):
        if truth.fault == wanted[0] and (not truth.fault or truth.severity > 0.6):
            (item,) = line.items(window)
            yield window, {key: item[key] for key in ("label", "index", "score")}
            wanted.pop(0)
            if not wanted:
                return


if __name__ == "__main__":
    sys.exit(main())
