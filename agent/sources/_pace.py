"""Gives frames at a steady rate, as a camera does."""

from __future__ import annotations

import time


class Pace:
    """An absolute schedule on the monotonic clock: late readers do not make it drift.

    A reader that is late by more than one interval gets the next frame at once, and the schedule goes on
    from there in whole intervals: what was missed is not made up for.

    Args:
        interval_s: between two frames; 0 means as fast as possible.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval = interval_s
        self._due: float | None = None

    def wait(self, timeout_s: float) -> bool:
        """Sleep until the next frame is due, at most ``timeout_s``; False when it is not due by then."""
        if self._interval <= 0:
            return True
        now = time.monotonic()
        due = now if self._due is None else self._due
        if due - now > timeout_s:
            time.sleep(max(0.0, timeout_s))
            return False
        if due > now:
            time.sleep(due - now)
        late = max(0.0, now - due)
        self._due = due + self._interval * (1 + late // self._interval)
        return True
