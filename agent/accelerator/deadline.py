"""How long an inference may take, learned from those before it."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from agent.histogram import LONGEST_US, Histogram, bucket_of

if TYPE_CHECKING:
    from agent.boards.accelerators import Limits

MOST, LEAST = 500, 50
"""So many of the last are kept; with fewer than the least nothing is known."""
_EVERY = 16


class Deadline:
    """The deadline of the next inference: ``min(invoke_s, max(floor_s, factor * p99))``.

    The 99th percentile is that of the last 500, in the buckets of ``agent.histogram``, so true to 1.6 %; it
    is taken anew after every 16. Until 50 were seen the deadline is ``invoke_s``.

    Args:
        limits: of the accelerator.

    Attributes:
        seconds: what the next inference may take.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._last: deque[int] = deque()
        self._counts: dict[int, int] = {}
        self._seen = 0
        self.seconds = limits.invoke_s

    def note(self, ns: int) -> None:
        """Count an inference that was right, by its duration in nanoseconds."""
        bucket = bucket_of(ns // 1000)
        self._last.append(bucket)
        self._counts[bucket] = self._counts.get(bucket, 0) + 1
        if len(self._last) > MOST:
            gone = self._last.popleft()
            self._counts[gone] -= 1
            if not self._counts[gone]:
                del self._counts[gone]
        self._seen += 1
        if self._seen >= LEAST and (self._seen - LEAST) % _EVERY == 0:
            p99 = Histogram(self._counts, max_us=LONGEST_US).percentile(0.99)
            learned = max(self._limits.floor_s, self._limits.factor * p99)
            self.seconds = min(self._limits.invoke_s, learned)
