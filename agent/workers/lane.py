"""A lane, as the supervisor sees it: one worker process, its state, its deadlines and its frame ledger.

The lane decides, and never sleeps. What it decides shows as signals to the process, events, and the ledger.
``tick`` and ``next_tick`` are the clock's side, ``receive`` and ``reap`` the process's side.
"""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from agent.errors import EXIT_CONFIG, AgentError, MessageInvalid
from agent.events import Event, emit
from agent.fsm import Machine
from agent.processes.message import error_of
from agent.types import Phase
from agent.workers.accounts import Accounts
from agent.workers.hearing import Hearing
from agent.workers.heartbeat import Slot
from agent.workers.judging import Judge
from agent.workers.policy import TABLE, Happening, RestartDelay, State
from agent.workers.process import WorkerProcess
from agent.workers.run import Run

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.boards.accelerators import Lend
    from agent.config.tables import Deadlines
    from agent.ledger import Ledger
    from agent.workers import messages
    from agent.workers.hearing import News
    from agent.workers.record import Record
    from agent.workers.spec import LaneSpec

_TICK_S, _STOP_S, _TERM_S, _KILL_S = 0.25, 5.0, 0.5, 5.0
_PACKETS_A_TURN = 64


class Lane:
    """One worker process and all that is known of it."""

    def __init__(
        self,
        spec: LaneSpec,
        deadlines: Deadlines,
        *,
        spawn: Callable[[bytes], WorkerProcess] = WorkerProcess,
        explain: Callable[[messages.Fault], AgentError] = error_of,
    ) -> None:
        self._spec = spec
        self._spawn, self._explain = spawn, explain
        self._machine = Machine(TABLE, State.STOPPED)
        self._delay = RestartDelay()
        self._restart_at = 0.0
        self._accounts = Accounts()
        self._unwanted = False
        self.run: Run | None = None
        self._hearing = Hearing(spec.pipeline, spec.source_name, media=spec.media is not None)
        self._judge = Judge(deadlines)
        self.restarts = 0
        self.problem = "its process died"
        self.refused = False

    @property
    def ready(self) -> messages.Ready | None:
        """What the newest worker said of the model that serves."""
        return self._hearing.ready

    @property
    def fault(self) -> messages.Fault | None:
        """The last fault of a worker."""
        return self._hearing.fault

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
        closed = self._accounts.closed
        return closed + self.run.ledger if self.run else closed

    def start(self, now: float) -> None:
        """Start the worker; on a machine that cannot even start one, try again after a while."""
        self._machine.fire(Happening.START)
        spec = self._spec.model_copy(update={"start": self._spec.start + self._accounts.closed.captured})
        try:
            process = self._spawn(spec.model_dump_json().encode())
        except OSError as error:
            emit(Event.LANE_DIED, self.name, problem=f"cannot start: {error}")
            self.restarts += 1
            self._back_off(now, 0.0)
            return
        process.page.enter(Slot.INFER, Phase.START, now)
        self.run = Run(process, started=now)
        emit(Event.LANE_STARTED, self.name, pid=process.pid)

    def stop(self, now: float) -> None:
        """Ask the worker to finish what is in flight and end."""
        self._unwanted = True
        if self.run is not None:
            self.run.dismissed = True
        if not self._machine.accepts(Happening.STOP):
            return
        self._machine.fire(Happening.STOP)
        if self.run is not None and self.run.escalate_at is None:  # else it is being killed already
            self._ask_to_end(self.run, now)

    def _ask_to_end(self, run: Run, now: float) -> None:
        run.dismissed = True
        if run.process.tell({"type": "stop"}):
            run.escalate_at = now + _STOP_S
        else:
            self._escalate(run, now)  # no room or nobody there: signals are left

    def serve(self, model: str, digest: str) -> None:
        """Say which model workers that are started from now on run; with "" none is started any more."""
        self._spec = self._spec.model_copy(update={"model": model, "digest": digest})

    def swap(self, model: str, digest: str, token: int) -> bool:
        """Ask the worker to swap its model between two frames; ``take_replies`` has its answer.

        Returns:
            Whether there is a running worker that could be asked.
        """
        run = self.run
        if run is None or run.closed or self.state is not State.RUNNING:
            return False
        if asked := run.process.tell({"type": "swap", "model": model, "digest": digest, "token": token}):
            run.asked.add(token)
        return asked

    def settle(self) -> None:
        """Have the worker let go of the model that is resident and does not serve."""
        if self.run is not None and self.state is State.RUNNING:
            self.run.process.tell({"type": "settle"})  # if there is no room, the next swap lets go of it

    def lend(self, loan: Lend, descriptor: int) -> bool:
        """Give the worker a connection to an accelerator; ``take_news`` has what it says of it.

        Returns:
            Whether there is a running worker that could be told.
        """
        run = self.run
        if run is None or run.closed or self.state is not State.RUNNING:
            return False
        if told := run.process.tell(loan.model_dump(), (descriptor,)):
            run.lend(loan)
        return told

    def take_news(self) -> list[News]:
        """Give what workers have said of accelerators since the last call."""
        taken, self._hearing.news = self._hearing.news, []
        return taken

    def restart(self, now: float) -> None:
        """Have a new worker with the model that ``serve`` has named; the old one finishes what is in flight.

        A lane that was asked to stop, or whose source is over, stays as it is; one that waits to start again,
        or that had refused, starts at once.
        """
        if self._unwanted:
            return
        if self.run is None:
            if self.state is State.BACKOFF:
                self._restart_at = now
            elif self._spec.model and self._machine.accepts(Happening.START):
                self.refused = False
                self.start(now)
            return
        self.run.renewed = True
        if self._machine.accepts(Happening.RENEW):
            self._machine.fire(Happening.RENEW)
            self._ask_to_end(self.run, now)

    def take_replies(self) -> list[messages.Swapped | messages.Unswapped]:
        """Give the worker's answers to swaps since the last call; a worker that died gave none."""
        taken, self._hearing.replies = self._hearing.replies, []
        return taken

    def receive(self, packets: int = _PACKETS_A_TURN) -> list[Record]:
        """Take in what the worker has sent, so many packets at most; give the records among it.

        They are all the work of the model that ``ready`` names, until the next call of this or of ``tick``.
        """
        if self.run is None:
            return []
        records = self._hearing.receive(self.run, packets)
        if self.run.ready is not None and self.state is State.STARTING:
            self._machine.fire(Happening.READY)
        return records

    def reap(self, now: float) -> int | None:
        """After the process ended and its packets are read: close its accounts, decide what is next.

        Returns:
            Frames that this death took, or None when the process still runs.
        """
        run = self.run
        if run is None or (code := run.process.exit_code()) is None:
            return None
        self._hearing.turn(run)
        closed = self._accounts.close(run)
        self.run = None
        run.process.close()
        if closed.lost:
            emit(Event.FRAME_LOST, self.name, count=closed.lost, frames=closed.lost)
        if run.renewed and not self._unwanted:
            self._machine.fire(Happening.DIED)
            self._restart_at = now
        elif code == 0 and run.ended:
            self._machine.fire(Happening.FINISHED)
        elif code == EXIT_CONFIG:
            self.refused = True
            self._machine.fire(Happening.REFUSED)
            emit(Event.LANE_REFUSED, self.name, problem=self._reason(run, code))
        else:
            self._died(run, code, now)
        if self._unwanted and self._machine.accepts(Happening.STOP):
            self._machine.fire(Happening.STOP)  # the stop came while it was stuck
        return closed.lost

    def _died(self, run: Run, code: int, now: float) -> None:
        if self._unwanted:
            self._machine.fire(Happening.DIED)
            return
        self.problem = self._reason(run, code)
        emit(Event.LANE_DIED, self.name, problem=self.problem)
        self.restarts += 1
        self._back_off(now, now - run.started)

    def _back_off(self, now: float, ran_s: float) -> None:
        self._machine.fire(Happening.DIED)
        self._restart_at = now + self._delay.after(ran_s)

    def _reason(self, run: Run, code: int) -> str:
        return str(self._explain(run.fault)) if run.fault else run.ending(code)

    def tick(self, now: float) -> None:
        """Do what time calls for: start again, notice an overrun, climb from SIGTERM to SIGKILL."""
        run = self.run
        if run is None:
            if self.state is State.BACKOFF and not self._spec.model:
                self._machine.fire(Happening.STOP)
            elif self.state is State.BACKOFF and now >= self._restart_at:
                self.start(now)
            return
        self._hearing.turn(run)
        if run.escalate_at is not None:
            if now >= run.escalate_at:
                self._escalate(run, now)
        elif self.state in {State.STARTING, State.RUNNING}:
            if run.closed:
                run.escalate_at = now + _TERM_S  # it can say no more: it should be gone any moment
            else:
                self._look(run, now)

    def _look(self, run: Run, now: float) -> None:
        try:
            overrun = self._judge.overrun(run.process.page, run.usual, now)
        except MessageInvalid as error:
            self._hearing.distrust(run, error)
            return
        if overrun is not None:
            run.hung, seconds = overrun
            emit(Event.LANE_HUNG, self.name, doing=run.hung, seconds=round(seconds, 1))
            self._escalate(run, now)

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
