"""Has one pipeline do with less: tells its worker, and each new worker again. Told the time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.events import Event, emit
from agent.governor.relief import Relief
from agent.workers import messages
from agent.workers.policy import State
from agent.workers.run import FIRST_EASE

if TYPE_CHECKING:
    from agent.workers.lane import Lane
    from agent.workers.run import Run

_MEASURED_S = 5.5
"""After so long without a limit the measured rate is the pipeline's own."""
_FIRST_S = 1.0
"""The same for a pipeline whose rate is not known at all."""
_LEAST_FPS = 0.1
_AGAIN_S = 60.0
"""A worker that could not do with less is asked again after so long."""
_OWN = frozenset({"cpu", "xnnpack"})
"""Delegates that threads and variants are about; an accelerator's work is none of the CPU's."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What a pipeline is held to: frames a second, None for any number; or none at all."""

    fps: float | None = None
    paused: bool = False


@dataclass(frozen=True, slots=True)
class _Ask:
    """What a worker was asked to run with: of which model, when, and the request's token."""

    threads: int
    variant: str
    model: str
    at: float
    token: int


class Hand:
    """One pipeline, as the governor sees it.

    Args:
        lane: the pipeline's.
        priority: of the configuration: "low" may be paused.

    Attributes:
        pace: what its worker was last told.
        problem: why it does not do with less, or "".
    """

    def __init__(self, lane: Lane, priority: str) -> None:
        self._lane, self._low = lane, priority == "low"
        self._run: Run | None = None
        self._own_fps: float | None = None
        self._free_since = 0.0
        self._tokens = FIRST_EASE
        self._asked: _Ask | None = None
        self._eased = Relief()
        self._served = ""
        self._again_at = 0.0
        self.pace = Pace()
        self.problem = ""

    def tick(self, now: float, relief: Relief, fps: float, *, settle: bool = False) -> None:
        """Bring the worker to what ``relief`` asks for.

        Args:
            now: seconds of the monotonic clock.
            relief: what all pipelines are to do without.
            fps: inferences a second that were measured lately.
            settle: whether the engine that served before is to leave the memory.
        """
        run = self._lane.run
        if run is None or self._lane.state is not State.RUNNING:
            return
        if run is not self._run:  # a new worker knows nothing of all this
            self._run, self._free_since = run, now
            self.pace, self._asked, self._eased, self._served = Pace(), None, Relief(), ""
            self._again_at = 0.0
        self._measure(now, fps)
        self._slow(now, run, relief)
        self._hear(now, run, settle=settle)
        self._ease(now, run, relief)

    def _measure(self, now: float, fps: float) -> None:
        enough_s = _FIRST_S if self._own_fps is None else _MEASURED_S
        if self.pace == Pace() and fps > 0 and now - self._free_since >= enough_s:
            self._own_fps = fps

    def _slow(self, now: float, run: Run, relief: Relief) -> None:
        wanted = Pace(self._limit(relief.share), paused=relief.pause and self._low)
        if wanted != self.pace and run.process.tell(
            {"type": "pace", "fps": wanted.fps, "paused": wanted.paused}
        ):
            self.pace, self._free_since = wanted, now

    def _limit(self, share: float) -> float | None:
        if share >= 1 or self._own_fps is None:
            return None
        return max(_LEAST_FPS, round(self._own_fps * share, 2))

    def _ease(self, now: float, run: Run, relief: Relief) -> None:
        """Ask for threads and variant, where they are not what serves."""
        ready = run.ready
        if self._asked or ready is None:
            return
        if self._served and self._served != ready.sha256:  # another model came meanwhile, as it was proved
            self._eased, self._served = Relief(), ""
        own = ready.delegate in _OWN
        wanted = (relief.threads, relief.variant) if own else (0, "")
        has = (self._eased.threads, self._eased.variant)
        if wanted == has or now < self._again_at:
            return
        self._tokens += 1
        said = {"type": "ease", "threads": wanted[0], "variant": wanted[1], "token": self._tokens}
        if run.process.tell(said):
            run.asked.add(self._tokens)
            self._asked = _Ask(*wanted, ready.model, now, self._tokens)

    def _hear(self, now: float, run: Run, *, settle: bool) -> None:
        answers, run.eases = run.eases, []
        for answer in answers:
            if self._asked is None or answer.token != self._asked.token:
                continue
            asked, self._asked = self._asked, None
            if isinstance(answer, messages.Unswapped):
                self.problem, self._again_at = answer.problem, now + _AGAIN_S
                emit(Event.GOVERNOR_REFUSED, self._lane.name, problem=answer.problem)
                continue
            self.problem, self._served = "", answer.sha256
            self._eased = Relief(threads=asked.threads, variant=asked.variant)
            if settle:
                self._lane.settle()
