"""A cap on what is sent, in bytes a second: a token bucket that may run into debt by one message."""

from __future__ import annotations

from collections import deque

_METERED_S = 10


class Throttle:
    """Says when the next message may go. Not for messages that cannot wait: those only add to the debt.

    Args:
        bytes_per_s: the cap; 0 for none.
        burst_s: how many seconds' worth may be saved up while nothing is sent.
    """

    def __init__(self, bytes_per_s: int, burst_s: float = 1.0) -> None:
        self._rate = bytes_per_s
        self._most = bytes_per_s * burst_s
        self._tokens = self._most
        self._at: float | None = None
        self._seconds: deque[tuple[int, int]] = deque(maxlen=_METERED_S)

    @property
    def capped(self) -> bool:
        """Whether there is a cap."""
        return self._rate > 0

    def open(self, now: float) -> bool:
        """Whether a message may go at ``now``, seconds of the monotonic clock."""
        return self.wait(now) <= 0

    def wait(self, now: float) -> float:
        """Seconds from ``now`` until a message may go."""
        if not self._rate:
            return 0.0
        if self._at is not None:
            self._tokens = min(self._most, self._tokens + self._rate * max(0.0, now - self._at))
        self._at = now
        return 0.0 if self._tokens > 0 else (1 - self._tokens) / self._rate

    def sent(self, size: int, now: float) -> None:
        """Count a message of ``size`` bytes."""
        self._tokens -= size
        if self._seconds and self._seconds[-1][0] == int(now):
            size += self._seconds.pop()[1]
        self._seconds.append((int(now), size))

    def rate(self, now: float) -> int:
        """Bytes a second that were sent, over the last ten whole seconds."""
        this = int(now)
        return sum(size for second, size in self._seconds if this - _METERED_S <= second < this) // _METERED_S

    def fitting(self, size: int, seconds: float) -> int:
        """The most bytes that a message should have, so that nobody waits longer than ``seconds`` for it."""
        return min(size, max(1, int(self._rate * seconds))) if self._rate else size
