"""Where objects are and how they move: a Kalman filter of constant velocity for each side of each box.

The centre and the size of a box are four numbers that move on their own, each with its velocity, so that a
filter has two states and needs no matrices; all objects are computed at once. Between two frames the velocity
wanders by white-noise acceleration (Y. Bar-Shalom et al., "Estimation with Applications to Tracking and
Navigation", 2001, 6.2.2): any time may pass between frames. As in SORT (A. Bewley et al., ICIP 2016), except
that a box's height and width stand for its area and shape. Noise is in shares of the object's own size, the
side of a square of its area.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from agent.types import Array

_MEASURED = 0.05
"""Standard deviation of a detector's boxes, sizes."""
_WANDER = 2.0
"""By how much a velocity changes in a second, sizes a second."""
_START = 2.0
"""Standard deviation of the velocity of what was seen once, sizes a second."""
_SMALLEST = 1e-4
"""No box is smaller, shares of the frame."""


class Kalman:
    """The boxes of N objects, in one order."""

    def __init__(self) -> None:
        # Centre y and x, height, width, and below them their velocities a second; then their variance, their
        # covariance with the velocity, and the velocity's variance.
        self._state = np.zeros((2, 0, 4))
        self._spread = np.zeros((3, 0, 4))

    def __len__(self) -> int:
        return self._state.shape[1]

    def boxes(self) -> Array:
        """Give where they are now: float64 (N, 4), ymin, xmin, ymax, xmax; not clipped to the frame."""
        middle, half = self._state[0, :, :2], np.maximum(self._state[0, :, 2:], _SMALLEST) / 2
        return np.concatenate([middle - half, middle + half], axis=1)

    def add(self, boxes: Array) -> None:
        """Take in objects that were seen for the first time, after the others."""
        seen = _middles(boxes)
        area = _area(seen)
        spread = np.stack([_MEASURED**2 * area, np.zeros_like(area), _START**2 * area])
        self._state = np.concatenate([self._state, np.stack([seen, np.zeros_like(seen)])], axis=1)
        self._spread = np.concatenate([self._spread, np.broadcast_to(spread, (3, *seen.shape))], axis=1)

    def keep(self, which: Array) -> None:
        """Forget all but those of a mask."""
        self._state, self._spread = self._state[:, which], self._spread[:, which]

    def predict(self, seconds: float) -> None:
        """Move everything on."""
        place, speed = self._state
        near, both, fast = self._spread
        wander = (_WANDER**2 * seconds) * _area(place)
        grown = seconds * fast
        near += seconds * (2 * both + grown + seconds / 3 * wander)
        both += grown + seconds / 2 * wander
        fast += wander
        place += seconds * speed

    def correct(self, rows: Array, boxes: Array) -> None:
        """Take in where these objects were seen."""
        seen = _middles(boxes)
        near, both, fast = spread = self._spread.take(rows, axis=1)
        state = self._state.take(rows, axis=1)
        gains = spread[:2] / (near + _MEASURED**2 * _area(seen))
        self._state[:, rows] = state + gains * (seen - state[0])
        fast -= gains[1] * both
        both -= gains[0] * both
        near -= gains[0] * near
        self._spread[:, rows] = spread

    def hold_sizes(self, rows: Array) -> None:
        """Have the sizes of these stay: of what nobody sees, only the way is guessed."""
        self._state[1, rows, 2:] = 0.0


def _middles(boxes: Array) -> Array:
    sizes = boxes[:, 2:] - boxes[:, :2]
    return np.concatenate([boxes[:, :2] + sizes / 2, sizes], axis=1)


def _area(places: Array) -> Array:
    """Give each object's area, (N, 1): the square of its size."""
    sides = np.maximum(places[:, 2:], _SMALLEST)
    area: Array = sides[:, :1] * sides[:, 1:]
    return area
