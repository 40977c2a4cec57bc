"""How long frames pass after something has been noticed, and how often one passes in any case."""

from __future__ import annotations

_NS = 1e9


class Holding:
    """Time is the frames' own: CLOCK_MONOTONIC at capture, nanoseconds.

    Args:
        hold_s: frames pass for so long after the last one in which there was something.
        every_s: one passes when none has for so long; 0 for never.
    """

    def __init__(self, hold_s: float, every_s: float) -> None:
        self._hold_ns = hold_s * _NS
        self._every_ns = every_s * _NS
        self._noticed: int | None = None
        self._passed: int | None = None

    def passes(self, now_ns: int, *, noticed: bool) -> bool:
        """Say whether the frame of this moment passes, in which there was something or not."""
        if noticed:
            self._noticed = now_ns
        due = bool(self._every_ns) and (self._passed is None or now_ns - self._passed >= self._every_ns)
        if not (noticed or due or self.holds(now_ns)):
            return False
        self._passed = now_ns
        return True

    def holds(self, now_ns: int) -> bool:
        """Say whether something was noticed so lately that frames of this moment still pass for it."""
        return self._noticed is not None and now_ns - self._noticed < self._hold_ns
