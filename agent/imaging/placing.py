"""Where a frame's picture lies in a model's input, and where what the model finds there lies in the frame.

All is linear along each axis, for each of the three ways to resize:

- ``stretch``: what is taken of the frame fills the input, whatever its proportions;
- ``letterbox``: it keeps its proportions and lies in the middle, between bars;
- ``crop``: the largest middle part that has the input's proportions fills the input.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil, floor
from typing import Literal

from agent.types import WHOLE, Box

Resize = Literal["stretch", "letterbox", "crop"]
Pixels = tuple[int, int, int, int]
"""A rectangle of whole pixels: top, left, bottom, right; the last two are just outside."""

_DIGITS = 6
_SLACK = 1e-6
"""Pixels: shares come from divisions, so that a border may lie a hair beside the pixel that is meant."""


@dataclass(frozen=True, slots=True)
class Placing:
    """How one frame lies in one input.

    Attributes:
        taken: the pixels of the frame that are shown.
        into: the pixels of the input that they fill; what is around them is padding.
        seen: what of the frame the whole input stands for, as shares; with bars it reaches beyond the frame.
    """

    taken: Pixels
    into: Pixels
    seen: Box

    def point(self, y: float, x: float) -> tuple[float, float]:
        """Give a point of the input, shares of it, as shares of the frame, clipped to it."""
        top, left, bottom, right = self.seen
        return _clip(top + y * (bottom - top)), _clip(left + x * (right - left))

    def spread(self, box: Box) -> Box:
        """Give a box of the input as shares of the frame, as far as it reaches: it is not clipped."""
        top, left, bottom, right = self.seen
        height, width = bottom - top, right - left
        return top + box[0] * height, left + box[1] * width, top + box[2] * height, left + box[3] * width

    @property
    def area(self) -> float:
        """How many times the frame's area the input stands for."""
        top, left, bottom, right = self.seen
        return (bottom - top) * (right - left)


@lru_cache(maxsize=64)
def place(
    frame: tuple[int, int], size: tuple[int, int], resize: Resize = "stretch", region: Box = WHOLE
) -> Placing:
    """Say how a frame lies in an input.

    Args:
        frame: its height and width, pixels, at least 1.
        size: the input's height and width, pixels, at least 1.
        resize: the way.
        region: the part of the frame that is shown, as shares; its borders go outward to whole pixels, and
            it is clipped to the frame, where it has one pixel at least.
    """
    top, bottom = _whole_pixels(region[0], region[2], frame[0])
    left, right = _whole_pixels(region[1], region[3], frame[1])
    height, width = bottom - top, right - left
    into = (0, 0, *size)
    if resize == "crop":
        kept = (min(height, max(1, round(width * size[0] / size[1]))),
                min(width, max(1, round(height * size[1] / size[0]))))  # fmt: skip
        top, left = top + (height - kept[0]) // 2, left + (width - kept[1]) // 2
        bottom, right = top + kept[0], left + kept[1]
    elif resize == "letterbox":
        scale = min(size[0] / height, size[1] / width)
        inner = max(1, round(height * scale)), max(1, round(width * scale))
        above, before = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
        into = (above, before, above + inner[0], before + inner[1])
    rows = _seen((top, bottom), (into[0], into[2]), size[0], frame[0])
    columns = _seen((left, right), (into[1], into[3]), size[1], frame[1])
    return Placing((top, left, bottom, right), into, (rows[0], columns[0], rows[1], columns[1]))


def _whole_pixels(first: float, last: float, size: int) -> tuple[int, int]:
    begin = min(max(0, floor(first * size + _SLACK)), size - 1)
    return begin, min(max(begin + 1, ceil(last * size - _SLACK)), size)


def _seen(taken: tuple[int, int], into: tuple[int, int], size: int, frame: int) -> tuple[float, float]:
    """Give where the input's two borders lie along one axis of the frame, as shares."""
    each = (taken[1] - taken[0]) / (into[1] - into[0])
    begin = taken[0] - into[0] * each
    return begin / frame, (begin + size * each) / frame


def _clip(share: float) -> float:
    return round(min(max(share, 0.0), 1.0), _DIGITS)
