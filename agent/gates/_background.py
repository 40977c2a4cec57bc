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
_ROWS = 16
"""Light and noise are estimated from about so many rows."""
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
        self._scratch = np.empty_like(self._mean), np.empty_like(self._mean), np.empty_like(self._mean)
        self._rows = np.s_[:: max(1, len(first) // _ROWS)]
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
        now, change, limit = self._scratch  # new arrays of that size would cost more than what is computed
        np.copyto(now, picture)
        self._change(now, change)
        np.multiply(self._spread, _WIDE, out=limit)
        np.maximum(limit, np.float32(max(self._threshold, _SIGMAS * _noise(change[self._rows]))), out=limit)
        over = self._over(change, limit)
        found = cv2.countNonZero(over)
        doubtful = found > _DOUBT * self._points
        self._light = self._fitted(now, self._judged if doubtful else cv2.subtract(self._judged, over))
        if found:  # with the light of this picture, it may be less
            self._change(now, change)
            over = self._over(change, limit)
            if cv2.countNonZero(over) > _OTHER * self._points:
                return None
        self._learn(now, change, over, share)
        return over

    def _learn(self, now: Array, apart: Array, over: Array, share: float) -> None:
        self.pictures += 1
        fast = max(share, 1 / self.pictures)
        still = None
        if cv2.countNonZero(over):  # with a mask it takes seven times as long
            still = cv2.bitwise_not(over)
            slow = fast if self.pictures < _NEW else share
            cv2.accumulateWeighted(now, self._mean, slow, mask=over)
        cv2.accumulateWeighted(now, self._mean, fast, mask=still)
        cv2.accumulateWeighted(apart, self._spread, fast, mask=still)

    def _change(self, now: Array, into: Array) -> None:
        """Write by how many grey levels each point has changed, in this light: float32, as the picture."""
        height, width = now.shape[:2]
        gain, offset = (np.tile(one, width) for one in self._light)  # long rows: short ones are slow
        flat = into.reshape(height, -1)
        np.multiply(self._mean.reshape(height, -1), gain, out=flat)
        flat += offset
        np.subtract(now, into, out=into)

    def _over(self, change: Array, limit: Array) -> Array:
        """Give the points that count and have changed by more than the limit in any layer, either way.

        ``change`` has its amounts after that. The points are uint8 (height, width), 255 or 0.
        """
        np.abs(change, out=change)
        flat = cv2.compare(change.reshape(len(change), -1), limit.reshape(len(limit), -1), cv2.CMP_GT)
        over = reduce(cv2.max, cv2.split(flat.reshape(change.shape)))
        return np.asarray(cv2.bitwise_and(over, self._judged))

    def _fitted(self, now: Array, where: Array) -> Light:
        """Fit gain and offset of each layer to the points of a mask."""
        where = where[self._rows]
        if not cv2.countNonZero(where):
            return self._light
        ours, theirs = self._mean[self._rows], now[self._rows]
        layers = now.shape[2]
        x, y, xx, xy = (
            np.array(cv2.mean(one, mask=where)[:layers]) for one in (ours, theirs, ours * ours, ours * theirs)
        )
        gain = (xy - x * y + _PLAIN) / (np.maximum(xx - x * x, 0) + _PLAIN)
        gain = np.clip(gain, *_GAINS)
        return Light(gain.astype(np.float32), (y - gain * x).astype(np.float32))


def _noise(change: Array) -> float:
    """Estimate a picture's noise, in standard deviations: from neighbours, which have the light in common.

    Args:
        change: of some rows, float32 (rows, width, layers).
    """
    if change.shape[1] <= _NEIGHBOUR:
        return 0.0
    steps = cv2.convertScaleAbs(change[:, _NEIGHBOUR:] - change[:, :-_NEIGHBOUR], alpha=_FINE).reshape(-1)
    counts = cv2.calcHist([steps], [0], None, [256], [0, 256]).reshape(-1).cumsum()
    return float(np.searchsorted(counts, counts[-1] / 2)) / _FINE * _OF_MEDIAN
