"""How much may happen for a peer's sake: a few things at once, and then so many a second."""

from __future__ import annotations


class Allowance:
    """A token bucket; it may run into debt by one thing.

    Args:
        most: what may happen at once.
        every_s: seconds until another one may.
    """

    def __init__(self, most: int, every_s: float) -> None:
        self._most, self._every_s = float(most), every_s
        self._left = self._most
        self._at: float | None = None

    def open(self, now: float) -> bool:
        """Whether a thing may happen at ``now``, seconds of the monotonic clock."""
        if self._at is not None:
            self._left = min(self._most, self._left + max(0.0, now - self._at) / self._every_s)
        self._at = now
        return self._left >= 1

    def spend(self, count: int = 1) -> None:
        """It has happened."""
        self._left -= count
