"""A probation of settings: what ran before runs again, and the link is up again. Pure, but for the lanes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.processes.message import error_of
from agent.workers.policy import State

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.activation.seams import Lane
    from agent.configuring.start import Before

_LEAST_S = 60.0
"""What a start of workers may always take."""
_STEADY_S = 5.0
_DEATHS = 3
_WELL = {State.RUNNING, State.ENDED}
_OVER = {State.FATAL, State.STUCK}


class Probation:
    """One of them.

    Args:
        lanes: one a pipeline.
        before: what ran before.
        began: seconds of the monotonic clock.
    """

    def __init__(self, lanes: Sequence[Lane], before: Before, began: float) -> None:
        self._lanes = [lane for lane in lanes if lane.name in before.lanes]
        self._before, self._began = before, began
        self._well_since: float | None = None
        self._deaths = 0

    def problem(self, seconds: float, now: float) -> str:
        """Say why it has failed; "" while it has not.

        Args:
            seconds: how long it may take until all is as it was; a minute at least.
            now: seconds of the monotonic clock.
        """
        for lane in self._lanes:
            if lane.state in _OVER:
                why = str(error_of(lane.fault)) if lane.fault else f"it is {lane.state.value}"
                return f"pipeline {lane.name} cannot run: {why}"
            if lane.restarts >= _DEATHS:
                return f"the worker of pipeline {lane.name} died {lane.restarts} times: {lane.problem}"
        if now - self._began < max(_LEAST_S, seconds) or self._well_since is not None:
            return ""
        away = [lane.name for lane in self._lanes if lane.state not in _WELL]
        what = f"pipeline {away[0]} does not run" if away else "the link is not up"
        return f"{what} after {now - self._began:.0f} s, and it was before"

    def passed(self, seconds: float, now: float, *, online: bool) -> bool:
        """Whether all has been as it was for a while: for 5 s, or ``seconds`` where that is less."""
        deaths = sum(lane.restarts for lane in self._lanes)
        well = all(lane.state in _WELL for lane in self._lanes) and (online or not self._before.online)
        if not well or deaths != self._deaths:
            self._well_since, self._deaths = None, deaths
            return False
        if self._well_since is None:
            self._well_since = now
        return now - self._well_since >= min(_STEADY_S, seconds)
