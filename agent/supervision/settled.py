"""Gives back, as a partner of the supervisor, what libraries have mapped while the agent began."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from agent.processes import memory
from agent.supervision.partners import QuietPartner

if TYPE_CHECKING:
    from agent.processes.memory import Ranges

_AFTER_S = 3.0


class Settled(QuietPartner):
    """Does it once, when workers have been started and the store is open.

    Args:
        ranges: what ``memory.settle`` gave before there were threads; later libraries are left alone.
    """

    def __init__(self, ranges: Ranges) -> None:
        self._ranges = ranges
        self._due: float | None = None

    def tick(self, now: float) -> None:
        """Do it when it is time."""
        if self._due is None:
            self._due = now + _AFTER_S
        elif now >= self._due:
            memory.give_back(self._ranges)
            self._due = math.inf

    def next_tick(self, now: float) -> float:
        """Seconds until it is time; none after it."""
        return 0.0 if self._due is None else max(0.0, self._due - now)
