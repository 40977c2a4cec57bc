"""Schedule: passes results at the times that the operator names; the model runs at all times."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.clock import SystemClock
from agent.schedules import Schedule

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.types import FrameInfo, Result


class Options(Schedule):
    """When results pass."""


def build(options: Options) -> ScheduleFilter:
    """Make the filter, on the machine's clock."""
    return ScheduleFilter(options, SystemClock().wall_ns)


class ScheduleFilter:
    """Implements ``Filter``. What filters before it remember goes on while it is closed.

    Args:
        schedule: when it is open.
        wall_ns: gives the time, nanoseconds since 1970-01-01 UTC.
    """

    def __init__(self, schedule: Schedule, wall_ns: Callable[[], int]) -> None:
        self._schedule = schedule
        self._wall_ns = wall_ns

    def apply(self, result: Result, frame: FrameInfo) -> Result | None:  # noqa: ARG002 - the seam has it
        """Pass every result while the schedule is open, with its events; hold it back else."""
        return result if self._schedule.is_open(self._wall_ns()) else None
