"""Holds a lane to what its course says: swaps between two frames, or restarts the worker. Told the time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.errors import LaneCrashed, ManifestInvalid, ModelInvalid, Rejected
from agent.processes.message import error_of
from agent.workers.messages import Unswapped
from agent.workers.policy import State

if TYPE_CHECKING:
    from pathlib import Path

    from agent.activation.course import Course
    from agent.activation.seams import Lane
    from agent.errors import AgentError

_PATIENCE_S = 120.0
"""A worker that has not answered a swap for so long is restarted; its own deadlines should have ended it."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """A swap that the worker has not answered."""

    token: int
    bundle: str
    at: float


class Steering:
    """Compares what a lane runs with what it shall run, and asks for the difference.

    Args:
        lane: the pipeline's.
        course: says what it shall run.
        configured: the model of the configuration; "" for none.
        bundles: the folder of bundles.
        resident: whether the worker keeps both models to swap, or is restarted.

    Attributes:
        swaps: how often a worker has swapped its model.
    """

    def __init__(
        self,
        lane: Lane,
        course: Course,
        configured: str,
        bundles: Path,
        *,
        resident: bool,
    ) -> None:
        self.lane, self.course = lane, course
        self._configured, self._bundles = configured, bundles
        self._resident = resident
        self._tokens = 0
        self._asked: _Asked | None = None
        self._coming: str | None = None
        self._served: str | None = None
        self._run: object | None = None
        self._runs: str | None = None
        self._deaths, self._state = lane.restarts, lane.state
        self._fault = lane.fault
        self._settled = True
        self.swaps = 0
        self._serve(course.boots)

    @property
    def running(self) -> str | None:
        """What the lane runs: a bundle's digest, "" for the configured model, None for nothing yet."""
        return self._runs if self.lane.state is State.RUNNING else None

    def tick(self, now: float) -> None:
        """Take in what became of the lane, and ask for what is missing."""
        self._hear(now)
        if self.running is not None:
            self.course.running(self.running, now)
        target = self.course.target
        if self._coming not in {target, None} or self._coming == self.running:
            self._coming = None
        self._serve(self.course.boots if self._coming is None else self._coming)
        if self._asked is None and self._coming is None:
            self._steer(target, now)
            self._look()  # a worker that was started just now may be gone at the next tick

    def _steer(self, target: str | None, now: float) -> None:
        state = self.lane.state
        if state is State.RUNNING and self._runs != target:
            if self._resident and target is not None:
                self._swap(target, now)
            else:
                self._restart(target, now)
        elif target is not None and (
            state is State.STOPPED or (state is State.FATAL and self._is_new(target))
        ):
            self._restart(target, now)
        elif state is State.RUNNING and target == self.course.boots and not self._settled:
            self._settled = True
            self.lane.settle()

    def _is_new(self, target: str) -> bool:
        """Whether this is not what the lane has just refused; on trial it may be the same, mended."""
        return self._runs != target or self.course.on_trial

    def _hear(self, now: float) -> None:
        """Take in the lane's answers, its deaths and its new lives."""
        for reply in self.lane.take_replies():
            if self._asked and reply.token == self._asked.token:
                asked, self._asked = self._asked, None
                if isinstance(reply, Unswapped):
                    self._unswapped(asked, error_of(reply), now)
                else:
                    self._runs = asked.bundle
                    self.swaps += 1
        ended = self.lane.state is not self._state and self.lane.state in {State.FATAL, State.STUCK}
        if ended or self.lane.restarts != self._deaths:
            self._died(now)
        self._look()
        if self._asked and now - self._asked.at > _PATIENCE_S:
            asked, self._asked = self._asked, None
            problem = f"the worker has not answered for {_PATIENCE_S:.0f} s"
            self._unswapped(asked, LaneCrashed("swap", self.lane.name, problem), now)

    def _look(self) -> None:
        """Note how the lane stands, and with what a new worker was started."""
        self._deaths, self._state = self.lane.restarts, self.lane.state
        if self.lane.run is not self._run:
            self._run, self._asked = self.lane.run, None
            if self._run is not None:
                self._runs = self._served

    def _died(self, now: float) -> None:
        fault = self.lane.fault if self.lane.fault is not self._fault else None
        served = (
            self._served if self._run is None else self._runs
        )  # it may have come and gone since the last tick
        self._asked, self._coming, self._fault = None, None, self.lane.fault
        problem = self.lane.problem if self.lane.restarts != self._deaths else "its process has ended"
        error = error_of(fault) if fault else LaneCrashed("run", self.lane.name, problem)
        if isinstance(error, Rejected) and self.course.on_trial and served == self.course.target:
            self.course.unswapped(error, now)
        else:
            self.course.died(str(error), now)
        active = self.course.held.active
        if isinstance(error, ManifestInvalid | ModelInvalid) and active and served == active.bundle:
            self.course.lost(str(error), now)

    def _unswapped(self, asked: _Asked, error: AgentError, now: float) -> None:
        if asked.bundle == self.course.target and self.course.on_trial:
            self.course.unswapped(error, now)
        else:  # the way back to a model that has worked
            self._restart(self.course.boots, now)

    def _swap(self, bundle: str, now: float) -> None:
        self._tokens += 1
        if self.lane.swap(*self._where(bundle), self._tokens):
            self._asked, self._settled = _Asked(self._tokens, bundle, now), False
            self._began(bundle, now)

    def _restart(self, bundle: str | None, now: float) -> None:
        self._serve(bundle)
        self._coming = bundle
        self._began(bundle, now)
        self.lane.restart(now)

    def _began(self, bundle: str | None, now: float) -> None:
        if bundle == self.course.target:
            self.course.begun(now)

    def _serve(self, bundle: str | None) -> None:
        if bundle != self._served or self._run is None:
            self._served = bundle
            self.lane.serve(*self._where(bundle))

    def _where(self, bundle: str | None) -> tuple[str, str]:
        """Give path and digest of a bundle, as a lane takes them."""
        if bundle:
            return str(self._bundles / bundle), bundle
        return ("", "") if bundle is None else (self._configured, "")
