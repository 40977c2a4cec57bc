"""Run a lane or a proof in the foreground, to its end: what ``infer``, ``check`` and ``doctor`` need."""

from __future__ import annotations

import selectors
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.errors import AgentError, LaneCrashed
from agent.processes.message import error_of
from agent.workers.lane import Lane
from agent.workers.policy import State
from agent.workers.process import WorkerProcess
from agent.workers.proof import Proof

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.config.tables import Deadlines
    from agent.ledger import Ledger
    from agent.workers.messages import Fault, Proved, Ready
    from agent.workers.record import Record
    from agent.workers.spec import LaneSpec

_OVER = {State.ENDED, State.FATAL, State.STOPPED, State.STUCK}
_HOPELESS_RUNS = 3
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a lane ended."""

    ready: Ready | None
    ledger: Ledger
    restarts: int


class Foreground:
    """A lane that is run to its end.

    Args:
        spec: what the worker is to do.
        deadlines: of its phases.
        explain: makes a worker's fault an error.
        spawn: starts its workers.
        patience_s: how long a recording may give nothing; None for ever. A live source knows it itself.
    """

    def __init__(
        self,
        spec: LaneSpec,
        deadlines: Deadlines,
        explain: Callable[[Fault], AgentError] = error_of,
        *,
        spawn: Callable[[bytes], WorkerProcess] = WorkerProcess,
        patience_s: float | None = None,
    ) -> None:
        self._patience_s = patience_s
        self._idle_since: float | None = None
        self._lane = Lane(spec, deadlines, spawn=spawn, explain=explain)
        self._explain = explain

    def run(self) -> Iterator[list[Record]]:
        """Give the records as they come.

        Raises:
            AgentError: the worker refused, or died several times without getting anywhere.
        """
        lane = self._lane
        lane.start(time.monotonic())
        try:
            while lane.state not in _OVER:
                run = lane.run
                if run is not None:
                    _wait(run.process.pidfd, None if run.closed else run.process.channel.fileno())
                else:
                    time.sleep(_POLL_S)
                over = run is not None and run.process.exit_code() is not None  # asked before the last read
                records = lane.receive()
                if run is not None:
                    run.timings.clear()  # nobody asks for them here, and a long recording has many
                if records:
                    yield records
                    continue
                if over:
                    lane.reap(time.monotonic())
                lane.tick(time.monotonic())
                self._give_up()
                if self.idle:
                    break
        finally:
            self._abandon()
        self._raise_refusal()

    @property
    def outcome(self) -> Outcome:
        """What is known of the lane now."""
        return Outcome(self._lane.ready, self._lane.ledger, self._lane.restarts)

    @property
    def idle(self) -> bool:
        """Whether a recording is open, and has given nothing for as long as it may."""
        run = self._lane.run
        if self._patience_s is None or run is None or run.live is not False or run.process.page.captured:
            return False
        self._idle_since = self._idle_since or time.monotonic()
        return time.monotonic() - self._idle_since > self._patience_s

    def _give_up(self) -> None:
        lane = self._lane
        if lane.state is State.BACKOFF and lane.restarts >= _HOPELESS_RUNS and not lane.ledger.settled:
            raise self._error("the worker died several times")

    def _raise_refusal(self) -> None:
        if self._lane.refused:
            raise self._error("the worker refused, and did not say why")

    def _error(self, problem: str) -> AgentError:
        if self._lane.fault:
            return self._explain(self._lane.fault)
        return LaneCrashed(
            "run", self._lane.name, problem, "Run edge-agent doctor; try another model or input"
        )

    def _abandon(self) -> None:
        """Leave no process behind, however this ends."""
        lane = self._lane
        lane.stop(time.monotonic())
        while lane.run is not None and lane.state is not State.STUCK:
            _wait(lane.run.process.pidfd, None)
            lane.receive()
            lane.reap(time.monotonic())
            lane.tick(time.monotonic())


def prove(spec: LaneSpec, deadlines: Deadlines) -> Proved:
    """Prove the model that ``spec`` names, in a process of its own.

    Raises:
        AgentError: why it may not serve; see ``agent.workers.proof``.
    """
    proof = Proof(spec, deadlines)
    proof.start(time.monotonic())
    try:
        while proof.outcome is None:
            _follow(proof)
    finally:
        proof.stop()
        while proof.process is not None and proof.outcome is None:
            _follow(proof)
    if isinstance(proof.outcome, AgentError):
        raise proof.outcome
    return proof.outcome


def _follow(proof: Proof) -> None:
    if proof.process is not None:
        _wait(proof.process.pidfd, None if proof.silent else proof.process.channel.fileno())
    proof.receive()
    proof.reap(time.monotonic())
    proof.tick(time.monotonic())


def _wait(pidfd: int, channel: int | None) -> None:
    with selectors.DefaultSelector() as selector:
        for fd in (pidfd, channel):
            if fd is not None:
                selector.register(fd, selectors.EVENT_READ)
        selector.select(_POLL_S)
