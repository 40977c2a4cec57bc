"""A running average of what a camera sees when nothing moves, and what differs from it.

Each colour's gain and offset are fitted to the picture first (least squares over what does not move), so that
another brightness or white balance is no motion. A point differs when it does so by more than ``threshold``
grey levels, and by five standard deviations of its own noise.
"""

from __future__ import annotations

import math
from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

if TYPE_CHECKING:
    from agent.types import Array

_SIGMAS = 5.0
_WIDE = np.float32(_SIGMAS * math.sqrt(math.pi / 2))
"""Five standard deviations of Gaussian noise, in means of its amount."""
_OF_MEDIAN = 1.4826 / math.sqrt(2)
"""Its standard deviation, in medians of the amount by which two of its values differ."""
_NEIGHBOUR = 2
"""So many points on, the noise has hardly anything in common: the picture is a little smooth."""
_FINE = 8
"""Steps of a grey level in which the median is looked for."""
_ROWS = 4
"""Light and noise are estimated from each fourth row."""
_NEW = 20
"""Up to so many pictures, what differs is averaged as the rest is: a passer may stand in the first ones."""
_OTHER = 0.6
"""When a larger share of the points differs, it is another view: all is learnt anew."""
_DOUBT = 0.3
"""When a larger share differs, the light may have changed suddenly: it is fitted anew to all points."""
_GAINS = (0.4, 2.5)
_PLAIN = 25.0
"""The variance, in squared grey levels, below which a picture says little about the gain."""


class Light(NamedTuple):
    """What makes the background the picture of now: gain and offset of each layer, float32 (layers)."""

    gain: Array
    offset: Array


class Background:
    """The background of pictures of one size.

    Args:
        first: the first picture, uint8 (height, width, layers).
        judged: the points that count, uint8 (height, width), 255 or 0.
        threshold: grey levels.
    """

    def __init__(self, first: Array, judged: Array, threshold: float) -> None:
        self._mean = first.astype(np.float32)
        self._spread = np.zeros_like(self._mean)
        self._judged = judged
        self._points = max(1, cv2.countNonZero(judged))
        self._threshold = threshold
        self._light = Light(np.ones(first.shape[2], np.float32), np.zeros(first.shape[2], np.float32))
        self.pictures = 1

    def differs(self, picture: Array, share: float) -> Array | None:
        """Compare a picture with the background, and learn from it.

        Args:
            picture: uint8, of the first one's shape.
            share: how much of the way to this picture the background goes, at least; in [0, 1].

        Returns:
            Where it differs, uint8 (height, width), 255 or 0; None when it is another view.
        """
        now = picture.astype(np.float32)
        change = self._change(now)
        limit = np.maximum(self._spread * _WIDE, max(self._threshold, _SIGMAS * _noise(change)))
        apart, over = self._over(change, limit)
        if cv2.countNonZero(over) > _DOUBT * self._points:
            self._light = self._fitted(now, self._judged)
            apart, over = self._over(self._change(now), limit)
            if cv2.countNonZero(over) > _OTHER * self._points:
                return None
        still = cv2.subtract(self._judged, over)
        self._light = self._fitted(now, still)
        self.pictures += 1
        fast = max(share, 1 / self.pictures)
        cv2.accumulateWeighted(now, self._mean, fast, mask=still)
        cv2.accumulateWeighted(now, self._mean, fast if self.pictures < _NEW else share, mask=over)
        cv2.accumulateWeighted(apart, self._spread, fast, mask=still)
        return over

    def _change(self, now: Array) -> Array:
        """Give by how many grey levels each point has changed, in this light: float32, as the picture."""
        height, width = now.shape[:2]
        gain, offset = (np.tile(one, width) for one in self._light)  # long rows: short ones are slow
        expected = self._mean.reshape(height, -1) * gain
        expected += offset
        change: Array = now - expected.reshape(now.shape)
        return change

    def _over(self, change: Array, limit: Array) -> tuple[Array, Array]:
        """Give the change's amounts, and the points that count where one is above the limit in any layer.

        These are uint8 (height, width), 255 or 0.
        """
        apart = np.abs(change)
        flat = cv2.compare(apart.reshape(len(apart), -1), limit.reshape(len(limit), -1), cv2.CMP_GT)
        over = reduce(cv2.max, cv2.split(flat.reshape(apart.shape)))
        return apart, np.asarray(cv2.bitwise_and(over, self._judged))

    def _fitted(self, now: Array, where: Array) -> Light:
        """Fit gain and offset of each layer to the points of a mask."""
        where = where[::_ROWS]
        if not cv2.countNonZero(where):
            return self._light
        ours, theirs = self._mean[::_ROWS], now[::_ROWS]
        layers = now.shape[2]
        x, y, xx, xy = (
            np.array(cv2.mean(one, mask=where)[:layers]) for one in (ours, theirs, ours * ours, ours * theirs)
        )
        gain = (xy - x * y + _PLAIN) / (np.maximum(xx - x * x, 0) + _PLAIN)
        gain = np.clip(gain, *_GAINS)
        return Light(gain.astype(np.float32), (y - gain * x).astype(np.float32))


def _noise(change: Array) -> float:
    """Estimate the noise of this picture, in standard deviations: from neighbours, which share the light."""
    rows = change[::_ROWS]
    if rows.shape[1] <= _NEIGHBOUR:
        return 0.0
    steps = cv2.convertScaleAbs(rows[:, _NEIGHBOUR:] - rows[:, :-_NEIGHBOUR], alpha=_FINE).reshape(-1)
    counts = cv2.calcHist([steps], [0], None, [256], [0, 256]).reshape(-1).cumsum()
    return float(np.searchsorted(counts, counts[-1] / 2)) / _FINE * _OF_MEDIAN
