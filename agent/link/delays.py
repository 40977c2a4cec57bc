"""How long results take from their commit to the collector's acknowledgement."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_MARKS = 1024
_KEPT = 512


class Delays:
    """Marks of commits that are not acknowledged yet, and the last delays; both bounded."""

    def __init__(self) -> None:
        self._marks: deque[tuple[str, int, float]] = deque(maxlen=_MARKS)
        self._seconds: deque[float] = deque(maxlen=_KEPT)

    def committed(self, epoch: str, last: int, now: float) -> None:
        """Note a commit that ended with the record ``last``."""
        self._marks.append((epoch, last, now))

    def acked(self, epoch: str, upto: int, have: Sequence[tuple[int, int]], now: float) -> None:
        """Note what the collector has: everything up to ``upto``, and the ranges ``have``."""
        left: list[tuple[str, int, float]] = []
        for mark in self._marks:
            whose, last, since = mark
            if whose == epoch and (last <= upto or any(a <= last <= b for a, b in have)):
                self._seconds.append(now - since)
            else:
                left.append(mark)
        self._marks.clear()
        self._marks.extend(left)

    @property
    def p95_ms(self) -> float | None:
        """The delay that 95 % of the last commits stayed under, milliseconds; None before the first."""
        if not self._seconds:
            return None
        ordered = sorted(self._seconds)
        return round(1000 * ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))], 1)
