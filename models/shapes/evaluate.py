"""Measures the bundled detector on held-out frames, through the agent's own preprocessing and decoder."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from models.line import Line
from models.metrics import Found, Picture, Wanted, mean_average_precision
from models.shapes import data

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from agent.sources.synthesis.shapes import Sight
    from agent.types import JsonValue

METRIC = "mAP@0.5"
TARGET = 0.90
CONDITIONS = DEMANDED = tuple(data.CONDITIONS)
QUICK = 200
COUNT = 1_000
"""Frames a condition."""

EVERYTHING: dict[str, JsonValue] = {"min_score": 0.05, "max_items": 100}
"""The decoder's options: average precision looks at uncertain detections, too."""


def measure(folder: Path, count: int | None = None) -> Iterator[tuple[str, float]]:
    """Give each condition with its mean average precision.

    Each condition has held-out scenes of its own: with one seed for all, one lucky draw would lift all.

    Args:
        folder: the bundle's.
        count: frames a condition; ``COUNT`` when None.
    """
    line = Line.of(folder, options=EVERYTHING)
    for number, name in enumerate(CONDITIONS):
        shown = pictures(line, name, count or COUNT, data.HELD_OUT + 1000 + number)
        yield name, mean_average_precision(shown)


def pictures(line: Line, condition: str, count: int, seed: int) -> list[Picture]:
    """Give ``count`` held-out frames of a condition: what is there, and what the model finds."""
    return [
        Picture([_wanted(one) for one in shown], [found(item) for item in line.items(frame)])
        for frame, shown in islice(data.held_out(condition, seed), count)
    ]


def found(item: Mapping[str, JsonValue]) -> Found:
    """Read an item of the decoder."""
    top, left, bottom, right = item["box"]
    return Found(item["label"], (top, left, bottom, right), item["score"])


def _wanted(shown: Sight) -> Wanted:
    return Wanted(shown.label, shown.box, difficult=shown.visible < data.VISIBLE)
