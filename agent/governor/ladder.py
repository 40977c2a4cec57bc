"""Which rung of a ladder a board stands on: up when it is strained, down when it has been calm. Pure.

Told the time and how strained the board is, it never sleeps and reads nothing. It does not oscillate: it
comes down only when ``cool_s`` have been calm, and goes up again within ``cool_s`` only where the board's
own limit is near. A rung that had to be taken again soon after it was given up is kept for twice as long the
next time, up to 16 times as long.
"""

from __future__ import annotations

import math
from enum import IntEnum

_HASTE = 4
"""How many times faster it goes up when it is urgent."""
_SOON = 10
"""What goes wrong within so many times ``cool_s`` after a rung was given up is put down to that."""
_MOST_RELAPSES = 4


class Strain(IntEnum):
    """How hard a board is pressed."""

    CALM = 0
    STEADY = 1
    STRAINED = 2
    URGENT = 3
    """It will reach its limit soon."""
    EXTREME = 4
    """It is at its limit."""


class Ladder:
    """A number of rungs above the ground, where nothing is held back.

    Args:
        rungs: how many there are.
        dwell_s: the least time between two steps up.
        cool_s: how long it must have been calm before a step down.

    Attributes:
        rung: where it stands: 0 for the ground.
        since: when it came there.
        ups, downs: how often it has moved, in steps.
    """

    def __init__(self, rungs: int, *, dwell_s: float, cool_s: float) -> None:
        self._rungs = rungs
        self._dwell_s, self._cool_s = dwell_s, cool_s
        self._up_at = self._down_at = -math.inf
        self._calm_since: float | None = None
        self._relapses = 0
        self.rung = 0
        self.since = -math.inf
        self.ups = self.downs = 0

    def tell(self, now: float, strain: Strain) -> int:
        """Take in how strained the board is at ``now``; give by how many rungs that has moved it."""
        if strain is not Strain.CALM:
            self._calm_since = None
        elif self._calm_since is None:
            self._calm_since = now
        if self._down_at > self._up_at and now - self._down_at > _SOON * self._cool_s:
            self._relapses = 0
        wanted = self._wanted(now, strain)
        return self._move(now, min(self._rungs, max(0, wanted)))

    def _wanted(self, now: float, strain: Strain) -> int:
        up_s, down_s = now - self._up_at, now - self._down_at
        if strain is Strain.EXTREME:
            return self._rungs
        if strain is Strain.URGENT and up_s >= self._dwell_s / _HASTE:
            return self.rung + 1
        if strain is Strain.STRAINED and up_s >= self._dwell_s and down_s >= self._cool_s:
            return self.rung + 1
        calm_s = -math.inf if self._calm_since is None else now - self._calm_since
        patience_s = self._cool_s * 2**self._relapses
        if min(calm_s, down_s) >= self._cool_s and up_s >= patience_s:
            return self.rung - 1
        return self.rung

    def _move(self, now: float, rung: int) -> int:
        moved = rung - self.rung
        if moved > 0:
            if now - self._down_at <= _SOON * self._cool_s:
                self._relapses = min(self._relapses + 1, _MOST_RELAPSES)
            self._up_at = now
            self.ups += moved
        elif moved < 0:
            self._down_at = now
            self.downs -= moved
        if moved:
            self.rung, self.since = rung, now
        return moved
