"""Refusals, for the audit log: so few that whoever makes us refuse cannot flush older entries out of it."""

from __future__ import annotations

from agent.allowance import Allowance
from agent.slots import Note

_AT_ONCE, _EVERY_S = 8, 3600.0
"""Entries of a kind; with three kinds the log's 10,000 last for more than four months."""
_AGAIN_S = 86400.0
"""One that repeats is told once a day."""


class Refusals:
    """Makes entries of refusals, and counts those that it makes none of."""

    def __init__(self) -> None:
        self._allowances: dict[str, Allowance] = {}
        self._told: dict[str, tuple[str, float]] = {}
        self._more: dict[str, int] = {}

    def note(self, kind: str, subject: str, why: str, now: float) -> Note | None:
        """Give the entry of a refusal; None where it was told, or too many were.

        Args:
            kind: of the few kinds of entries, one.
            subject: what was refused.
            why: the reason.
            now: seconds of the monotonic clock.
        """
        allowance = self._allowances.setdefault(kind, Allowance(_AT_ONCE, _EVERY_S))
        last, at = self._told.get(kind, ("", now))
        if (why == last and now - at < _AGAIN_S) or not allowance.open(now):
            self._more[kind] = self._more.get(kind, 0) + 1
            return None
        allowance.spend()
        self._told[kind] = why, now
        more = self._more.pop(kind, 0)
        return Note(kind, subject, {"reason": why, **({"more": more} if more else {})})
