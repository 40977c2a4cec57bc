"""Pipelines, as a command may treat them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import Rejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.clock import Clock
    from agent.workers.lane import Lane


class Pipelines:
    """The lanes of a running agent, by name.

    Args:
        lanes: one a pipeline.
        clock: where time comes from.
    """

    def __init__(self, lanes: Sequence[Lane], clock: Clock) -> None:
        self._lanes = {lane.name: lane for lane in lanes}
        self._clock = clock

    @property
    def names(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(self._lanes)

    def restart(self, pipeline: str) -> None:
        """End its worker in good order and start a new one.

        Raises:
            Rejected: there is no such pipeline.
        """
        if pipeline not in self._lanes:
            hint = f"Name one of: {', '.join(self._lanes)}"
            raise Rejected("restart", pipeline, "there is no such pipeline", hint)
        self._lanes[pipeline].restart(self._clock.monotonic())
