"""What one small gray picture shows of its camera. Pure: no clock, no state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from agent.pictures import Health
    from agent.types import Array

WIDTH, HEIGHT = 160, 120
"""The most that is looked at."""
_SAMPLES = 2
"""A large picture is thinned out to twice that first: to average all of its pixels costs too much."""
_WHITE = 252
EDGE = 10.0
"""The least change, grey levels a pixel, that is an edge; the noise of a good sensor is less."""
_STEEPEST = 8
"""A picture's steepest edge is the one that so many pixels reach."""
_TRACE = 5.0
"""The least change that shows something: what is out of focus has it, a hand on the lens not."""
_TILES = (6, 8)
_LEAST_CONTRAST = 24
"""Grey levels between the darkest and the brightest percent; below it nobody can tell sharp from blurred."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What is seen.

    Attributes:
        black, overexposed, blurred, blocked: the faults that this one picture shows.
        edges: where there are edges, bool (height, width).
    """

    black: bool
    overexposed: bool
    blurred: bool
    blocked: bool
    edges: Array


def shrink(data: Array) -> Array:
    """Make a picture gray and small: uint8 (at most 120, at most 160).

    Args:
        data: uint8 (height, width), or (height, width, 1, 3 or 4) in BGR or BGRA.
    """
    height, width = data.shape[:2]
    step = max(1, min(height // (_SAMPLES * HEIGHT), width // (_SAMPLES * WIDTH)))
    small = np.ascontiguousarray(data[::step, ::step]) if step > 1 else data
    if small.ndim == 3 and small.shape[2] > 1:  # one layer is quicker to average than three
        code = cv2.COLOR_BGR2GRAY if small.shape[2] == 3 else cv2.COLOR_BGRA2GRAY
        small = cv2.cvtColor(small, code)
    gray: Array = small.reshape(small.shape[:2])
    size = (min(WIDTH, gray.shape[1]), min(HEIGHT, gray.shape[0]))
    if size != gray.shape[1::-1]:
        return cv2.resize(gray, size, interpolation=cv2.INTER_AREA)
    return gray.copy()


def look(gray: Array, health: Health, shown: Array | None = None) -> Marks:
    """Judge one picture.

    Args:
        gray: uint8 (height, width), as ``shrink`` gives it.
        health: the limits.
        shown: which of its pixels count, bool; None for all.
    """
    seen = gray if shown is None else gray[shown]
    if not seen.size:
        return Marks(
            black=False, overexposed=False, blurred=False, blocked=False, edges=np.zeros(gray.shape, bool)
        )
    levels = np.bincount(seen.ravel(), minlength=256).cumsum()
    total = int(levels[-1])
    dark, bright = (int(np.searchsorted(levels, share * total)) for share in (0.01, 0.99))
    black = bright <= health.black
    overexposed = total - int(levels[_WHITE - 1]) >= health.overexposed * total
    steep = _steepness(gray)
    if shown is not None:
        steep[~shown] = 0
    edges = steep >= EDGE
    plain = not black and not overexposed
    blocked = plain and _plain_share(steep >= _TRACE, shown) >= health.blocked
    contrast = bright - dark
    steepest = float(np.partition(steep.ravel(), -_STEEPEST)[-_STEEPEST]) if steep.size > _STEEPEST else 255.0
    blurred = (
        plain
        and not blocked
        and contrast >= _LEAST_CONTRAST
        and contrast * WIDTH >= health.blurred * steepest * gray.shape[1]
    )
    return Marks(black, overexposed, blurred, blocked, edges)


def _steepness(gray: Array) -> Array:
    """Give how much each pixel differs from its neighbours, grey levels a pixel: float32 (height, width)."""
    smooth = cv2.GaussianBlur(gray, (3, 3), 0)
    across = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=3, scale=0.125)
    down = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=3, scale=0.125)
    steep: Array = cv2.magnitude(across, down)
    return steep


def _plain_share(traces: Array, shown: Array | None) -> float:
    """Give the share of tiles that hold nothing to speak of: one percent of their pixels at most."""
    plain = _tiled(traces) <= 0.01
    if shown is not None:
        plain = plain[_tiled(shown) >= 0.5]
    return float(plain.mean()) if plain.size else 0.0


def _tiled(mask: Array) -> Array:
    rows, columns = _TILES
    return cv2.resize(mask.astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA)
