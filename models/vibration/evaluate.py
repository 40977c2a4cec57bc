"""Measures the vibration bundle on machines that training never saw, as the agent would run it.

Each window goes through the agent's preprocessing, the runtime, and the agent's decoder.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from agent.sources.synthesis.episodes import FAULTS
from models.line import Line
from models.roc import auc
from models.vibration import data

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from agent.sources.synthesis.vibration import Truth
    from agent.types import Array

METRIC = "ROC AUC"
TARGET = 0.95
USUAL = "as the sensor comes"
_SEVERITIES = {
    "severity up to 0.3": (0.0, 0.3),
    "severity 0.3 to 0.6": (0.3, 0.6),
    "severity above 0.6": (0.6, 1.0),
}
_NOISES = {"noise of 0.01 g": 0.01, "noise of 0.03 g": 0.03}
CONDITIONS = (USUAL, *FAULTS, *_SEVERITIES, *_NOISES)
"""Faulty windows of each against all healthy ones of the same stream."""
DEMANDED = (USUAL, *FAULTS, *_NOISES)
"""A fault that only just begins is hardly there yet: what a severity scores is stated, not demanded."""
QUICK = 2_000
WINDOWS = 20_000
"""Of each stream; about a quarter of them are faulty."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the model made of a stream, window by window.

    Attributes:
        fault: the true one, or "".
        severity: the true one.
        score: the model's.
        alarm: whether it called the window an anomaly.
    """

    fault: Array
    severity: Array
    score: Array
    alarm: Array

    def auc(self, chosen: Array) -> float:
        """Give the area for the ``chosen`` windows against the healthy ones."""
        return auc(self.score[chosen], self.score[self.fault == ""])

    def chosen(self, condition: str) -> Array:
        """Tell which faulty windows belong to a condition."""
        low, high = _SEVERITIES.get(condition, (0.0, 1.0))
        within: Array = (self.severity > low) & (self.severity <= high)
        return within & (self.fault == condition) if condition in FAULTS else within


def judged(line: Line, stream: Iterable[tuple[Array, Truth]]) -> Judged:
    """Let the model judge a stream."""
    rows = [(truth, line.items(window)[0]) for window, truth in stream]
    return Judged(
        fault=np.array([truth.fault for truth, _ in rows]),
        severity=np.array([truth.severity for truth, _ in rows]),
        score=np.array([item["score"] for _, item in rows]),
        alarm=np.array([item["index"] for _, item in rows], bool),
    )


def measure(folder: Path, count: int | None = None) -> Iterator[tuple[str, float]]:
    """Give each condition's area for the bundle in ``folder``.

    From ``count`` windows a stream; None is ``WINDOWS``. The conditions of one noise share a stream, and
    each noise has machines of its own.

    Raises:
        ValueError: ``count`` is so small that a condition has no window; 1,000 are enough for all.
    """
    line = Line.of(folder)
    usual = judged(line, data.held_out(data.HELD_OUT, count or WINDOWS))
    for name in CONDITIONS:
        if name in _NOISES:
            first = data.HELD_OUT + 100_000 * (1 + list(_NOISES).index(name))
            noisy = judged(line, data.held_out(first, count or WINDOWS, _NOISES[name]))
            yield name, noisy.auc(noisy.chosen(name))
        else:
            yield name, usual.auc(usual.chosen(name))


def rates(folder: Path, count: int | None = None) -> Iterator[tuple[str, float]]:
    """Give the share of alarms at the bundle's threshold: of healthy windows, then for each condition."""
    line = Line.of(folder)
    usual = judged(line, data.held_out(data.HELD_OUT, count or WINDOWS))
    yield "healthy", float(usual.alarm[usual.fault == ""].mean())
    for name in CONDITIONS:
        if name not in _NOISES:
            yield name, float(usual.alarm[usual.chosen(name)].mean())
