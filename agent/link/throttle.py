"""A cap on what is sent, in bytes a second: a token bucket that may run into debt by one message."""

from __future__ import annotations


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

    def open(self, now: float) -> bool:
        """Whether a message may go at ``now``, seconds of the monotonic clock."""
        if not self._rate:
            return True
        if self._at is not None:
            self._tokens = min(self._most, self._tokens + self._rate * max(0.0, now - self._at))
        self._at = now
        return self._tokens > 0

    def sent(self, size: int) -> None:
        """Count a message of ``size`` bytes."""
        self._tokens -= size

    def fitting(self, size: int, seconds: float) -> int:
        """The most bytes that a message should have, so that nobody waits longer than ``seconds`` for it."""
        return min(size, max(1, int(self._rate * seconds))) if self._rate else size
