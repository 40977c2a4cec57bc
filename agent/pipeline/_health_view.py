"""Whether a camera still looks where it looked: the edges that stand still are where they were.

The average of the edges over time, each frame weighted by its time, says where edges stand still. How many of
them the new picture has, beyond those that it would have by chance (as in Cohen's kappa, 1960), says whether
it is the same view. What moves leaves no edges that stand still; without enough of those nothing is said.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from agent.types import Array

_STANDS = 0.5
"""Where there is an edge for this share of the time, it stands still."""
_LEAST = 0.004
"""Fewer edges that stand still, as a share of the picture, tell nothing."""
_LONGEST_S = 1.0
"""A frame counts for so long at most: after a gap nobody knows what was there."""
_ADOPTED = 10
"""A new view becomes the usual one after so many times the time of learning."""
_NEAR = np.ones((3, 3), np.uint8)


class View:
    """The usual view of one camera.

    Args:
        learn_s: how long it is looked at until it is known, seconds.
        moved: the least share of its edges that must be there.
    """

    def __init__(self, learn_s: float, moved: float) -> None:
        self._learn_s = learn_s
        self._moved = moved
        self._forget()

    def _forget(self) -> None:
        self._average: Array | None = None
        self._weight = self._known_s = self._strange_s = 0.0

    def moves(self, edges: Array, since_s: float) -> bool:
        """Say whether these edges are those of another view; learn from them when they are not.

        Args:
            edges: bool (height, width).
            since_s: time since the frame before, seconds.
        """
        since_s = min(max(since_s, 0.0), _LONGEST_S)
        if self._average is None or self._average.shape != edges.shape:
            self._forget()
            self._average = np.zeros(edges.shape, np.float32)
        if self._known_s >= self._learn_s and self._differs(edges, self._average):
            self._strange_s += since_s
            if self._strange_s < _ADOPTED * self._learn_s:
                return True
            self._forget()
            return False
        self._strange_s = 0.0
        new = 1 - math.exp(-since_s / self._learn_s)
        cv2.accumulateWeighted(edges.astype(np.float32), self._average, new)
        self._weight += (1 - self._weight) * new
        self._known_s += since_s
        return False

    def _differs(self, edges: Array, average: Array) -> bool:
        standing = average >= _STANDS * self._weight
        count, seen = np.count_nonzero(standing), np.count_nonzero(edges)
        if count < _LEAST * edges.size or 2 * seen < count:  # a light that went out moves nothing
            return False
        near = cv2.dilate(edges.astype(np.uint8), _NEAR) > 0
        chance = float(near.mean())
        met = np.count_nonzero(standing & near) / count
        return bool(met - chance < self._moved * (1 - chance))
