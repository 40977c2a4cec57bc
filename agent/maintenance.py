"""The maintenance window: when a device may do what disturbs it. It is part of the desired state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import ValidationError

from agent.clock import RELEASED_NS
from agent.schedules import Schedule

if TYPE_CHECKING:
    from agent.clock import Clock
    from agent.documents import desired

Word = Literal["any", "open", "closed", "unknown"]


class Maintenance:
    """Says whether the window is open now.

    Args:
        clock: gives the wall time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._schedule: Schedule | None = None
        self._problem = ""

    def set(self, terms: desired.Maintenance | None) -> None:
        """Take in what the desired state in force says; None: at any time."""
        self._schedule, self._problem = None, ""
        if terms is None:
            return
        try:
            self._schedule = Schedule(windows=terms.windows, zone=terms.zone)
        except ValidationError:  # an older machine may not know it
            self._problem = f"there is no time zone {terms.zone!r} on this machine"

    @property
    def open(self) -> bool | None:
        """Whether what disturbs may be done; None while nobody can tell: then it waits, too."""
        word = self.word
        return None if word == "unknown" else word != "closed"

    @property
    def word(self) -> Word:
        """The same, as it is reported; ``unknown`` while the clock was never set, or the zone is unknown."""
        if self._problem:
            return "unknown"
        if self._schedule is None:
            return "any"
        wall_ns = self._clock.wall_ns()
        if wall_ns < RELEASED_NS:
            return "unknown"
        return "open" if self._schedule.is_open(wall_ns) else "closed"

    @property
    def waits(self) -> str:
        """Why what disturbs has to wait now; "" when it has not to."""
        if self._problem:
            return self._problem
        words = {"closed": "it waits for the maintenance window", "unknown": "the clock was never set"}
        return words.get(self.word, "")
