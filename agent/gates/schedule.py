"""Schedule: lets frames pass at the times that the operator names; all others are gated."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.clock import SystemClock
from agent.schedules import Schedule
from agent.screening import Admission

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.types import Frame


class Options(Schedule):
    """When frames pass."""


def build(options: Options) -> ScheduleGate:
    """Make the gate, on the machine's clock."""
    return ScheduleGate(options, SystemClock().wall_ns)


class ScheduleGate:
    """Implements ``FrameGate``.

    Args:
        schedule: when it is open.
        wall_ns: gives the time, nanoseconds since 1970-01-01 UTC.
    """

    def __init__(self, schedule: Schedule, wall_ns: Callable[[], int]) -> None:
        self._schedule = schedule
        self._wall_ns = wall_ns

    def admit(self, frame: Frame) -> Admission | None:  # noqa: ARG002 - the seam has it
        """Let every frame pass while the schedule is open."""
        return Admission() if self._schedule.is_open(self._wall_ns()) else None
