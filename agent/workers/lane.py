"""A lane, as the supervisor sees it: one worker process, its state, its deadlines and its frame ledger.

The lane decides; it is told the time, and never sleeps. What it decides shows as signals to the process,
events, and the ledger. ``tick`` and ``next_tick`` are the clock's side, ``receive`` and ``reap`` the
process's side.
"""

from __future__ import annotations

import signal
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.child import ending
from agent.errors import EXIT_CONFIG, AgentError, MessageInvalid
from agent.events import Event, emit
from agent.fsm import Machine
from agent.ledger import Ledger
from agent.types import Phase
from agent.workers import messages
from agent.workers.heartbeat import Slot
from agent.workers.policy import TABLE, Happening, RestartDelay, State, limit_s
from agent.workers.process import WorkerProcess
from agent.workers.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.tables import Deadlines
    from agent.workers.spec import LaneSpec

_TICK_S = 0.25
_STOP_S, _TERM_S, _KILL_S = 5.0, 0.5, 5.0
_PACKETS_A_TURN = 64
_POISON_RUNS = 2
"""A frame of a recording is given up when so many runs in a row died before they settled it."""
_MOST_UNTOLD = 1 << 32
"""Frames that a worker can have captured since its last message; a page that says more is written over."""


class Lane:
    """One worker process and all that is known of it."""

    def __init__(
        self,
        spec: LaneSpec,
        deadlines: Deadlines,
        *,
        spawn: Callable[[bytes], WorkerProcess] = WorkerProcess,
        explain: Callable[[messages.Fault], AgentError] | None = None,
    ) -> None:
        self._spec = spec
        self._deadlines = deadlines
        self._spawn = spawn
        self._explain = explain or messages.error_of
        self._machine = Machine(TABLE, State.STOPPED)
        self._delay = RestartDelay()
        self._restart_at = 0.0
        self._closed = Ledger()
        self._idle_deaths = 0
        self._unwanted = False
        self.run: Run | None = None
        self.restarts = 0
        self.refused = False
        self.ready: messages.Ready | None = None
        self.fault: messages.Fault | None = None

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return self._spec.pipeline

    @property
    def state(self) -> State:
        """Where the lane stands."""
        return self._machine.state

    @property
    def ledger(self) -> Ledger:
        """The pipeline's accounts over all runs, as of the last message."""
        return self._closed + self.run.ledger if self.run else self._closed

    def start(self, now: float) -> None:
        """Start the worker; a machine that cannot even start one is tried again after a while."""
        self._machine.fire(Happening.START)
        spec = self._spec.model_copy(update={"start": self._spec.start + self._closed.captured})
        try:
            process = self._spawn(spec.model_dump_json().encode())
        except OSError as error:
            emit(Event.LANE_DIED, self.name, problem=f"cannot start: {error}")
            self.restarts += 1
            self._back_off(now, 0.0)
            return
        process.page.enter(Slot.INFER, Phase.START)
        self.run = Run(process, started=now)
        emit(Event.LANE_STARTED, self.name, pid=process.pid)

    def stop(self, now: float) -> None:
        """Ask the worker to finish what is in flight and end."""
        self._unwanted = True
        if not self._machine.accepts(Happening.STOP):
            return
        self._machine.fire(Happening.STOP)
        run = self.run
        if run is None or run.escalate_at is not None:
            return  # nobody is there, or it is being killed already
        try:
            run.process.channel.send(b'{"type":"stop"}')
        except OSError:
            self._escalate(run, now)  # no room or nobody there: signals are left
        else:
            run.escalate_at = now + _STOP_S

    def receive(self, packets: int = _PACKETS_A_TURN) -> list[messages.Record]:
        """Take in what the worker has sent, so many packets at most; give the records among it."""
        run = self.run
        records: list[messages.Record] = []
        if run is None or run.closed:
            return records
        for _ in range(packets):
            packet = run.process.channel.receive()
            if not packet:
                run.closed = packet is not None
                break
            try:
                message = messages.parse(packet)
            except MessageInvalid as error:
                self._distrust(run, error)
                break
            if isinstance(message, messages.Results):
                records.extend(message.records)
            self._take(run, message)
        return records

    def _distrust(self, run: Run, error: MessageInvalid) -> None:
        """End a worker that breaks the protocol; nothing more of it is read."""
        emit(Event.MESSAGE_REFUSED, self.name, problem=error)
        run.closed = True
        run.process.signal(signal.SIGKILL)

    def _take(self, run: Run, message: messages.FromWorker) -> None:
        match message:
            case messages.Ready():
                self._begin(run, message)
            case messages.Opened(live=live):
                run.live, run.away = live, ""
                emit(Event.SOURCE_OPENED, self.name)
            case messages.Lost(problem=problem):
                run.away = problem
                emit(Event.SOURCE_LOST, self.name, problem=problem)
            case messages.Timings():
                run.timings.append(message)  # whoever calls receive takes them
            case messages.Results(ledger=counts) | messages.Ended(ledger=counts):
                self._account(run, counts.ledger())
                if isinstance(message, messages.Ended):
                    run.ended = True
                    if self.state is not State.STOPPING:
                        emit(Event.SOURCE_ENDED, self.name, remark=message.remark)
            case messages.Fault():
                self.fault = run.fault = message

    def _begin(self, run: Run, ready: messages.Ready) -> None:
        self.ready = run.ready = ready
        if self.state is State.STARTING:
            self._machine.fire(Happening.READY)
        emit(Event.LANE_READY, self.name, model=ready.model, delegate=ready.delegate)
        if not (ready.confined.landlock and ready.confined.seccomp):
            emit(Event.LANE_EXPOSED, self.name, **ready.confined.model_dump())

    def _account(self, run: Run, ledger: Ledger) -> None:
        for reason, count in ledger.failed.items():
            if (more := count - run.ledger.failed.get(reason, 0)) > 0:
                emit(Event.FRAME_FAILED, self.name, count=more, reason=reason)
        for reason, count in ledger.dropped.items():
            if (more := count - run.ledger.dropped.get(reason, 0)) > 0:
                emit(Event.FRAME_DROPPED, self.name, count=more, reason=reason)
        run.ledger = ledger
        if not ledger.balanced:
            emit(Event.LEDGER_UNBALANCED, self.name, ledger=ledger.to_json())

    def reap(self, now: float) -> int | None:
        """After the process ended and its packets are read: close its accounts, decide what is next.

        Returns:
            Frames that this death took, or None when the process still runs.
        """
        run = self.run
        if run is None or (code := run.process.exit_code()) is None:
            return None
        closed = self._settled(run)
        lost = closed.lost
        self._closed = self._closed + closed
        self.run = None
        run.process.close()
        if lost:
            emit(Event.FRAME_LOST, self.name, count=lost, frames=lost)
        if code == 0 and run.ended:
            self._machine.fire(Happening.FINISHED)
        elif code == EXIT_CONFIG:
            self.refused = True
            self._machine.fire(Happening.REFUSED)
            emit(Event.LANE_REFUSED, self.name, problem=self._reason(run, code))
        else:
            self._died(run, code, now)
        if self._unwanted and self._machine.accepts(Happening.STOP):
            self._machine.fire(Happening.STOP)  # the stop came while it was stuck
        return lost

    def _settled(self, run: Run) -> Ledger:
        if run.live is False:  # the next run reads again what this one had not settled
            closed = replace(run.ledger, captured=run.ledger.settled, in_flight=0)
            idle = not (closed.captured or run.ended or self._unwanted)
            self._idle_deaths = self._idle_deaths + 1 if idle else 0
            if self._idle_deaths >= _POISON_RUNS:
                self._idle_deaths = 0
                closed += Ledger(captured=1, lost=1)
            return closed
        captured = run.process.page.captured
        return run.ledger.closed_by_crash(captured if captured - run.ledger.captured < _MOST_UNTOLD else 0)

    def _died(self, run: Run, code: int, now: float) -> None:
        if self._unwanted:
            self._machine.fire(Happening.DIED)
            return
        emit(Event.LANE_DIED, self.name, problem=self._reason(run, code))
        self.restarts += 1
        self._back_off(now, now - run.started)

    def _back_off(self, now: float, ran_s: float) -> None:
        self._machine.fire(Happening.DIED)
        self._restart_at = now + self._delay.after(ran_s)

    def _reason(self, run: Run, code: int) -> str:
        return str(self._explain(run.fault)) if run.fault else ending(code)

    def tick(self, now: float) -> None:
        """Do what time calls for: start again, notice an overrun, climb from SIGTERM to SIGKILL."""
        run = self.run
        if run is None:
            if self.state is State.BACKOFF and now >= self._restart_at:
                self.start(now)
            return
        if run.escalate_at is not None:
            if now >= run.escalate_at:
                self._escalate(run, now)
        elif self.state in {State.STARTING, State.RUNNING}:
            if run.closed:
                run.escalate_at = now + _TERM_S  # it can say no more: it should be gone any moment
            else:
                self._judge(run, now)

    def _judge(self, run: Run, now: float) -> None:
        for slot in (Slot.CAPTURE, Slot.INFER):
            try:
                phase, since = run.process.page.read(slot)
            except MessageInvalid as error:
                self._distrust(run, error)
                return
            limit = limit_s(phase, self._deadlines)
            if limit is not None and now - since > limit:
                doing = f"{slot.name.lower()} thread in {phase.name.lower()}"
                emit(Event.LANE_HUNG, self.name, doing=doing, seconds=round(now - since, 1))
                self._escalate(run, now)
                return

    def _escalate(self, run: Run, now: float) -> None:
        """SIGTERM, then SIGKILL, then call it stuck."""
        if self._machine.accepts(Happening.OVERRUN):
            self._machine.fire(Happening.OVERRUN)
        if not run.signals:
            run.signals.append(signal.SIGTERM)
            run.escalate_at = now + _TERM_S
        elif len(run.signals) == 1:
            run.signals.append(signal.SIGKILL)
            run.escalate_at = now + _KILL_S
        else:
            run.escalate_at = None
            self._machine.fire(Happening.UNREAPED)
            emit(Event.LANE_STUCK, self.name, pid=run.process.pid)
            return
        run.process.signal(run.signals[-1])

    def next_tick(self, now: float) -> float | None:
        """Seconds until ``tick`` wants to be called; None when only the process can change anything."""
        if self.run is None:
            return max(0.0, self._restart_at - now) if self.state is State.BACKOFF else None
        if self.run.escalate_at is not None:
            return max(0.0, self.run.escalate_at - now)
        return _TICK_S
