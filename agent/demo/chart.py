"""A pipeline's scores of the recent past as bars, the newest at the right, with the threshold marked."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from agent.demo.grid import Grid

if TYPE_CHECKING:
    from collections.abc import Sequence

HISTORY = 240
"""How many scores are worth keeping."""
_HALVES = {
    (0, 0): " ", (1, 0): "▖", (0, 1): "▗", (1, 1): "▄", (2, 0): "▌", (0, 2): "▐", (2, 1): "▙", (1, 2): "▟",
    (2, 2): "█",
}  # fmt: skip
_GOOD, _BAD, _MARK = "green", "bold red", "yellow"


def chart(scores: Sequence[float], threshold: float, width: int, height: int) -> Grid:
    """Draw the newest scores that fit: two a column, half a row fine.

    Args:
        scores: each in [0, 1], oldest first.
        threshold: in (0, 1); bars reach beyond its line exactly when the score does. It lies between two
            rows, so that the scales above and below it can differ a little.
        width: columns.
        height: rows, at least 2.
    """
    grid = Grid(width, height)
    above = min(max(round((1 - threshold) * height), 1), height - 1)
    for column in range(width):
        grid.put(column, above - 1, "┄", _MARK)
    levels = [_halves(score, threshold, above, height - above) for score in scores][-2 * width :]
    levels = [0] * (2 * width - len(levels)) + levels
    for column in range(width):
        pair = levels[2 * column], levels[2 * column + 1]
        for row in range(height):
            below = 2 * (height - 1 - row)
            left, right = (min(max(level - below, 0), 2) for level in pair)
            if left or right:
                grid.put(column, row, _HALVES[left, right], _BAD if row < above else _GOOD)
    return grid


def _halves(score: float, threshold: float, above: int, below: int) -> int:
    """Give a bar's length in half rows: at least one, and beyond the threshold exactly when the score is."""
    score = min(max(score, 0.0), 1.0)
    if score < threshold:
        return max(1, math.floor(score / threshold * 2 * below))
    return 2 * below + max(1, round((score - threshold) / (1 - threshold) * 2 * above))
