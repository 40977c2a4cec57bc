"""The way back that people ask for: once for each command, whenever the agent dies meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.activation.steering import Steering
    from agent.clerk import Clerk
    from agent.clock import Clock
    from agent.slots import Kept

_NAME = "rollback"
"""The document that names the command which led back last; written in the transaction of the slots."""


class WayBack:
    """Rolls models back by hand.

    Args:
        steerings: each pipeline's.
        clerk: writes what they decide.
        kept: what the store holds.
        clock: where time comes from.
    """

    def __init__(self, steerings: Mapping[str, Steering], clerk: Clerk, kept: Kept, clock: Clock) -> None:
        self._steerings, self._clerk, self._clock = steerings, clerk, clock
        self._last = kept.documents.get(_NAME, b"")

    def rollback(self, pipeline: str, order: str = "") -> None:
        """Go back to the model before; ``order`` is the id of the command that asks for it.

        Raises:
            Rejected: there is no such pipeline, or no model to go back to.
        """
        if pipeline not in self._steerings:
            hint = f"Name one of: {', '.join(self._steerings)}"
            raise Rejected("roll back", pipeline, "there is no such pipeline", hint)
        self._clerk.along = {_NAME: order.encode()} if order else {}
        try:
            self._steerings[pipeline].course.rollback(self._clock.monotonic())
        finally:
            self._clerk.along = {}
        self._last = order.encode() or self._last

    def rolled_back(self, order: str) -> bool:
        """Whether this command has led back already."""
        return self._last == order.encode()
