"""Measures the bundled classifier on held-out pictures, in the real interpreter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agent.bundles.load import load
from models.glyphs import data
from models.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

METRIC = "share of right answers"
TARGET = 0.95
CONDITIONS = DEMANDED = tuple(data.CONDITIONS)
QUICK = 200
COUNT = 2_000
"""Pictures a condition: near 0.98, the standard error of an accuracy is 0.003."""


def measure(folder: Path, count: int | None = None) -> Iterator[tuple[str, float]]:
    """Give each condition with the model's accuracy in it.

    Each condition has held-out scenes of its own: with one seed for all, one lucky draw would lift all.

    Args:
        folder: the bundle's.
        count: pictures a condition; ``COUNT`` when None.
    """
    runner = Runner(load(folder).data)
    for number, name in enumerate(CONDITIONS):
        images, labels = data.held_out(name, count or COUNT, data.HELD_OUT + 1000 + number)
        answers = [int(runner.run(image / 255).argmax()) for image in images]
        yield name, float(np.mean(answers == labels))
