"""A part of the frame around what moves: square, with a margin, and still while that only jitters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.types import WHOLE

if TYPE_CHECKING:
    from agent.types import Box

_LOOSE = 1.6
"""A part is kept while its sides are at most so many times those that would be chosen anew."""


class Framing:
    """Remembers the part that it gave last.

    Args:
        margin: what is added on each side, as a share of the longer side of what moves.
        min_side: the least side, as a share of the frame's shorter one.
    """

    def __init__(self, margin: float, min_side: float) -> None:
        self._margin = margin
        self._min_side = min_side
        self.last: Box = WHOLE

    def around(self, box: Box, height: int, width: int) -> Box:
        """Give the part for a box, as shares of a frame of so many pixels.

        It is a square of pixels, but cut where the frame is smaller, and the box lies in it.
        """
        top, left, bottom, right = box
        side = max((bottom - top) * height, (right - left) * width) * (1 + 2 * self._margin)
        side = max(side, self._min_side * min(height, width))
        kept = self.last != WHOLE and _within(box, self.last)
        if not kept or (self.last[2] - self.last[0]) * height > _LOOSE * side:
            ymin, ymax = _span((top + bottom) / 2, side / height)
            xmin, xmax = _span((left + right) / 2, side / width)
            self.last = ymin, xmin, ymax, xmax
        return self.last


def _span(middle: float, size: float) -> tuple[float, float]:
    """Give begin and end of a stretch of [0, 1], moved so that it does not reach beyond."""
    if size >= 1:
        return 0.0, 1.0
    begin = min(max(middle - size / 2, 0.0), 1.0 - size)
    return begin, min(begin + size, 1.0)


def _within(inner: Box, outer: Box) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and inner[2] <= outer[2] and inner[3] <= outer[3]
