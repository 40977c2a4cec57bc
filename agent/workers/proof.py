"""A proof, as the supervisor sees it: a worker process that proves one model, and what came of it.

Like the lane it is told the time and never sleeps: ``tick`` and ``next_tick`` are the clock's side,
``receive`` and ``reap`` the process's side. It is over when ``outcome`` stands.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import orjson

from agent.errors import AgentError, Fatal, LaneCrashed, MessageInvalid, Rejected, Retryable
from agent.processes.child import ending
from agent.processes.message import error_of
from agent.types import Phase
from agent.workers import messages
from agent.workers.heartbeat import Slot
from agent.workers.policy import limit_s
from agent.workers.process import WorkerProcess

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from agent.boards.accelerators import Lend
    from agent.config.tables import Deadlines
    from agent.workers.spec import LaneSpec

_LIMIT_S = 120.0
_TICK_S = 0.25
_TERM_S, _KILL_S = 0.5, 5.0
_MOST_PACKETS = 64
_HINT = "Look at the log of the worker; prove it again with edge-agent model prove"


class Proof:
    """Proves a model in a process of its own.

    Args:
        spec: of the pipeline, with the model to prove; ``prove`` is set here.
        deadlines: of the worker's phases.
        spawn: starts the process.
        limit_s: how long the whole may take.

    Attributes:
        process: with pidfd and channel for a selector; None before and after.
        outcome: what was found, or why the model may not serve: ``BundleRefused`` by a rule, ``LaneCrashed``
            when the process died or hung, ``Retryable`` when it could not be tried; None while it runs.
        silent: whether the process can say no more: its channel is not to be watched any longer.
    """

    def __init__(
        self,
        spec: LaneSpec,
        deadlines: Deadlines,
        *,
        spawn: Callable[[bytes], WorkerProcess] = WorkerProcess,
        limit_s: float = _LIMIT_S,
    ) -> None:
        alone = {"once": False, "draw": "", "accelerated": False}  # it must run on the CPU, too
        self._spec = spec.model_copy(update={"prove": True, **alone})
        self._deadlines = deadlines
        self._spawn = spawn
        self._limit_s = limit_s
        self._over_at = 0.0
        self._escalate_at: float | None = None
        self._signals = 0
        self.silent = False
        self._why = ""
        self._found: messages.Proved | None = None
        self._fault: messages.Fault | None = None
        self._called_off = False
        self.process: WorkerProcess | None = None
        self.outcome: messages.Proved | AgentError | None = None

    def start(self, now: float, loan: Lend | None = None, end: socket.socket | None = None) -> None:
        """Start the process; on a machine that cannot start one now the outcome stands at once.

        Args:
            now: seconds of the monotonic clock.
            loan: the accelerator that the model is to be proved on; None for the CPU.
            end: the connection to it, the caller's to close.
        """
        spec = self._spec.model_copy(update={"lent": loan is not None})
        try:
            self.process = self._spawn(spec.model_dump_json().encode())
            if loan is not None and end is not None:
                self.process.channel.send_with(orjson.dumps(loan.model_dump()), [end.fileno()])
        except OSError as error:
            if self.process is None:
                self.outcome = self._retryable(f"cannot start a process: {error}")
                return
            self.stop()  # it fell at once
        self.process.page.enter(Slot.INFER, Phase.START, now)
        self._over_at = now + self._limit_s

    def receive(self) -> None:
        """Take in what the process has sent."""
        if self.process is None or self.silent:
            return
        for _ in range(_MOST_PACKETS):
            packet = self.process.channel.receive()
            if not packet:
                self.silent = packet is not None
                return
            try:
                self._take(messages.parse(packet))
            except MessageInvalid as error:
                self._distrust(error)
                return

    def _take(self, message: messages.FromWorker) -> None:
        match message:
            case messages.Proved():
                self._found = message
            case messages.Fault():
                self._fault = message
            case _:
                raise MessageInvalid("read packet", message.type, "a worker that proves does not say that")

    def _distrust(self, error: MessageInvalid) -> None:
        self.silent = True
        self._why = self._why or str(error)
        if self.process is not None:
            self.process.signal(signal.SIGKILL)

    def reap(self, now: float) -> None:  # noqa: ARG002 - as the lane's
        """After the process ended: read what is left, and settle the outcome."""
        if self.process is None or (code := self.process.exit_code()) is None:
            return
        self.receive()
        self.process.close()
        self.process = None
        if self.outcome is None:
            self.outcome = self._settled(code)

    def _settled(self, code: int) -> messages.Proved | AgentError:
        if self._called_off:
            return self._retryable("it was called off")
        if self._why:
            return self._crashed(self._why)
        if self._fault is not None:
            error = error_of(self._fault)
            return self._crashed(str(error)) if _is_no_answer(error) else error
        return self._found if self._found and code == 0 else self._crashed(ending(code))

    def tick(self, now: float) -> None:
        """Notice what takes too long, and climb from SIGTERM to SIGKILL."""
        if self.process is None:
            return
        if self._escalate_at is not None:
            if now >= self._escalate_at:
                self._escalate(self.process, now)
        elif self.silent:
            self._escalate_at = now + _TERM_S  # it can say no more: it should be gone any moment
        else:
            self._judge(self.process, now)

    def _judge(self, process: WorkerProcess, now: float) -> None:
        try:
            phase, since = process.page.read(Slot.INFER)
        except MessageInvalid as error:
            self._distrust(error)
            return
        limit = limit_s(phase, self._deadlines)
        if now >= self._over_at:
            self._why = f"it took longer than {self._limit_s:g} s"
        elif limit is not None and now - since > limit:
            self._why = f"it hung for {now - since:.1f} s in {phase.name.lower()}"
        if self._why:
            self._escalate(process, now)

    def _escalate(self, process: WorkerProcess, now: float) -> None:
        self._why = self._why or "it fell silent and did not end"
        self._signals += 1
        if self._signals == 1:
            process.signal(signal.SIGTERM)
            self._escalate_at = now + _TERM_S
        elif self._signals == 2:
            process.signal(signal.SIGKILL)
            self._escalate_at = now + _KILL_S
        else:  # its driver sits in the kernel: what it would say does not matter any more
            self._escalate_at = now + _KILL_S
            self.outcome = self.outcome or self._crashed(f"{self._why}; SIGKILL did not end it")

    def stop(self) -> None:
        """Call it off: the process is killed, and is reaped as ever."""
        self._called_off = True
        if self.process is not None:
            self.process.signal(signal.SIGKILL)
        elif self.outcome is None:
            self.outcome = self._retryable("it was called off")

    def next_tick(self, now: float) -> float | None:
        """Seconds until ``tick`` wants to be called; None when there is no process."""
        if self.process is None:
            return None
        return _TICK_S if self._escalate_at is None else max(0.0, self._escalate_at - now)

    def _crashed(self, problem: str) -> LaneCrashed:
        return LaneCrashed("prove", self._spec.model, problem, _HINT)

    def _retryable(self, problem: str) -> Retryable:
        return Retryable("prove", self._spec.model, problem)


def _is_no_answer(error: AgentError) -> bool:
    """Whether a process ended by a bug or a fault of the runtime, which says nothing of the bundle."""
    return not isinstance(error, Rejected | Retryable | Fatal)
