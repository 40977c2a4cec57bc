"""How long live results take from their commit to the collector's acknowledgement."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from agent.histogram import percentile

if TYPE_CHECKING:
    from collections.abc import Sequence

_MARKS = 1024
_KEPT = 512
_LAST_S = 60.0


class Delays:
    """Marks of commits that are not acknowledged yet, and the delays of the last minute; both bounded."""

    def __init__(self) -> None:
        self._marks: deque[tuple[str, int, float]] = deque(maxlen=_MARKS)
        self._acked: deque[tuple[float, float]] = deque(maxlen=_KEPT)

    def committed(self, epoch: str, last: int, now: float) -> None:
        """Note a commit that ended with the record ``last``."""
        self._marks.append((epoch, last, now))

    def forget(self) -> None:
        """What is not acknowledged by now is backlog."""
        self._marks.clear()

    def acked(self, epoch: str, upto: int, have: Sequence[tuple[int, int]], now: float) -> None:
        """Note what the collector has: everything up to ``upto``, and the ranges ``have``."""
        left: list[tuple[str, int, float]] = []
        for mark in self._marks:
            whose, last, since = mark
            if whose == epoch and (last <= upto or any(a <= last <= b for a, b in have)):
                self._acked.append((now, now - since))
            else:
                left.append(mark)
        self._marks.clear()
        self._marks.extend(left)

    def p95_ms(self, now: float) -> float | None:
        """The delay that 95 % of the last minute's commits stayed under, milliseconds; None without any.

        What has waited longer than that counts, too: a result that never arrives has no delay yet.
        """
        acked = [delay for at, delay in self._acked if now - at <= _LAST_S]
        worst = percentile(acked, 0.95) if acked else 0.0
        late = [age for _, _, since in self._marks if (age := now - since) > worst]
        every = acked + late
        return round(1000 * percentile(every, 0.95), 1) if every else None
