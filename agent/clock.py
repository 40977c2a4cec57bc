"""Time, as a seam: deadlines use ``monotonic``, people read ``wall``.

Boards without a real-time clock step the wall clock by decades; no timer may depend on it.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where time comes from."""

    def monotonic(self) -> float:
        """Seconds on CLOCK_MONOTONIC: the same in every process of this boot."""

    def wall_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC, as far as this machine knows."""


class SystemClock:
    """The machine's own clocks."""

    def monotonic(self) -> float:
        """Seconds on CLOCK_MONOTONIC."""
        return time.monotonic()

    def wall_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC."""
        return time.time_ns()
