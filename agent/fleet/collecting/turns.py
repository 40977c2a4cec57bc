"""When stored blocks become rows: between batches, for which devices wait, while nobody waits for rows."""

from __future__ import annotations

_QUIET_S = 0.05
"""So long after the last batch the next one is waited for no longer."""
_FEW, _MANY = 512, 4096
"""About so many records become rows in one turn, while batches come, and when none does."""
_SHARE, _FAIR_SHARE = 0.1, 0.5
"""What part of the time goes into rows while batches come: little, until too much has gathered."""
_TOO_FAR_BEHIND = 2_000_000
"""Records; more than a camera gives in half a day."""


class Turns:
    """Shares the time between batches and rows. It decides, and does nothing."""

    def __init__(self) -> None:
        self._quiet_at = 0.0
        self._next_at = 0.0
        self._far_behind = False

    def most(self, now: float, *, busy: bool) -> int:
        """How many records may become rows now; 0 when batches go first.

        Args:
            now: monotonic, seconds.
            busy: whether a batch came just now.
        """
        if busy:
            self._quiet_at = now + _QUIET_S
        if now >= self._quiet_at:
            return _MANY
        if now < self._next_at:
            return 0
        return _MANY if self._far_behind else _FEW

    def took(self, seconds: float, now: float, behind: int) -> None:
        """Note how long a turn took that began at ``now``, and how many records still wait."""
        self._far_behind = behind >= _TOO_FAR_BEHIND
        self._next_at = now + seconds / (_FAIR_SHARE if self._far_behind else _SHARE)
