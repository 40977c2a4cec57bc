"""What is on with a candidate right now: a risky step that waits to be written, or a trial."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.activation.trial import Trial

_RISKY_S = 60.0
"""A step from which the device has come back for so long was no risk."""


@dataclass(slots=True)
class Step:
    """A step.

    Attributes:
        awaited: the token of the change that says that it is on; 0 for none.
        armed: that change is durable: the step may begin.
        begun: the lane was told: its death is the candidate's from now on.
        risky_until: when the step was no risk, once it has begun.
        trial: the candidate serves.
        passing: the token of the change that makes it the active model; 0 for none.
    """

    awaited: int = 0
    armed: bool = False
    begun: bool = False
    risky_until: float = 0.0
    trial: Trial | None = None
    passing: int = 0

    def written(self, token: int) -> None:
        """A change is durable."""
        if token and token == self.awaited:
            self.awaited, self.armed = 0, True

    def begin(self, now: float) -> None:
        """The lane was told to take the candidate."""
        if not self.begun:
            self.begun, self.risky_until = True, now + _RISKY_S
