"""One accelerator, as the supervisor sees it: the process that owns it, and what is done when it fails.

Like the lane it is told the time and never sleeps: ``tick`` and ``next_tick`` are the clock's side,
``receive`` and ``reap`` the process's side.
"""

from __future__ import annotations

import random
from collections import Counter
from typing import TYPE_CHECKING

from agent.errors import EXIT_CONFIG, MessageInvalid
from agent.events import Event, emit
from agent.processes.child import ending
from agent.processes.message import error_of
from agent.recovery import messages
from agent.recovery.ladder import OPEN, Happening, Ladder, State
from agent.recovery.life import BEGIN_S, Life
from agent.recovery.process import AcceleratorProcess
from agent.recovery.resetting import Resetting
from agent.types import Phase
from agent.workers.heartbeat import Slot

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from agent.accelerator.spec import AcceleratorSpec
    from agent.boards.accelerators import Accelerator

_TICK_S = 0.25
_SLACK_S = 1.0
"""The worker that waits for an answer notices first that there is none."""


class Owner:
    """An accelerator, its process and its ladder.

    Args:
        spec: what its process is to do.
        spawn: starts its process.
        reset: begins to reset its device.
        jitter: gives a number from 0 to 1, which spreads the ends of rests.

    Attributes:
        life: that of the process that there is now; None when there is none.
        restarts: how often its process was started after the first time.
        problem: what the last incident was.
        incidents: how many there were, by kind.
    """

    def __init__(
        self,
        spec: AcceleratorSpec,
        *,
        spawn: Callable[[bytes], AcceleratorProcess] = AcceleratorProcess,
        reset: Callable[[Accelerator, float], Resetting] = Resetting,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.spec = spec
        self._spawn, self._reset = spawn, reset
        self.ladder = Ladder(resets=bool(spec.accelerator.reset), jitter=jitter)
        self.resetting: Resetting | None = None
        self.life: Life | None = None
        self._lives = 0
        self._missing = False
        self.restarts = 0
        self.problem = ""
        self.description = ""
        self.incidents: Counter[str] = Counter()

    @property
    def name(self) -> str:
        """What it is called."""
        return self.spec.accelerator.title

    @property
    def state(self) -> State:
        """Where it stands."""
        return self.ladder.state

    def lends(self, number: int) -> bool:
        """Whether that life of its process serves."""
        return self.state in OPEN and self.life is not None and self.life.number == number

    def start(self, now: float) -> None:
        """Start its process; a machine that cannot even start one has an incident, as any other."""
        self.ladder.start(now)
        self.restarts += self._lives > 0
        self._lives += 1
        try:
            process = self._spawn(self.spec.model_dump_json().encode())
        except OSError as error:
            self._count("open", f"cannot start a process: {error}", now)
            self._tell("open")
            self._go_on(now)
            return
        process.page.enter(Slot.INFER, Phase.START, now)
        self.life = Life(process, self._lives)

    def connect(self, pipeline: str) -> socket.socket | None:
        """Connect a worker to its process; give the worker's end, the caller's to pass on and close."""
        if self.life is None or not self.lends(self.life.number):
            return None
        return self.life.connect(pipeline)

    def receive(self, now: float) -> None:
        """Take in what its process has said."""
        if (life := self.life) is None:
            return
        for packet in life.packets():
            try:
                self._take(life, messages.parse(packet), now)
            except MessageInvalid as error:
                self._distrust(life, error, now)

    def _take(self, life: Life, message: messages.FromAccelerator, now: float) -> None:
        if not isinstance(message, messages.Opened):
            if life.fault is not None:  # one that says it without end would keep the loop busy
                raise MessageInvalid("read packet", message.type, "it has said why it ends already")
            life.fault = message
            return
        if life.opened:
            raise MessageInvalid("read packet", message.type, "it was open already")
        life.opened = self.description = message.description or message.delegate
        if life.doomed:
            return
        event = Event.ACCELERATOR_OPENED if self.state is State.OPENING else Event.ACCELERATOR_REOPENED
        self.ladder.opened(now)
        self._missing = False
        emit(event, self.name, device=life.opened)

    def _distrust(self, life: Life, error: MessageInvalid, now: float) -> None:
        emit(Event.MESSAGE_REFUSED, self.name, problem=error)
        life.closed = True
        if self.fail("died", str(error), now):
            self._tell("died")

    def fail(self, kind: str, problem: str, now: float) -> bool:
        """An incident: its process is ended at once. Give whether it is the first one of this life."""
        life = self.life
        if life is None or life.doomed:
            return False
        life.failed = True
        self._count(kind, problem, now)
        if life.process.exit_code() is None:
            life.escalate(now)
        return True

    def _count(self, kind: str, problem: str, now: float) -> None:
        self.ladder.failed(now, absent=kind == "absent", hopeless=kind == "unusable")
        self.problem = problem
        self.incidents[kind] += 1

    def _tell(self, kind: str) -> None:
        """Tell of an incident that no pipeline has told of."""
        if kind != "absent":
            emit(Event.ACCELERATOR_FAILED, self.name, kind=kind, problem=self.problem, then=self.ladder.next)
        elif not self._missing:
            emit(Event.ACCELERATOR_ABSENT, self.name, problem=self.problem)
        self._missing = kind == "absent"

    def reap(self, now: float) -> None:
        """After its process ended: say why, and go on as the ladder has it."""
        life = self.life
        if life is None or (code := life.process.exit_code()) is None:
            return
        self.receive(now)
        reason = str(error_of(life.fault)) if life.fault else ending(code)
        if not life.doomed:
            said = life.fault.error if life.fault else ""
            kind = "unusable" if code == EXIT_CONFIG else "died" if life.opened else "open"
            kind = "absent" if said == "DelegateLost" else kind
            self._count(kind, reason, now)
            self._tell(kind)
        elif life.failed and -code not in life.signals:
            self.problem = reason  # it knew better than those that it left without an answer
        life.process.close()
        self.life = None
        self._go_on(now)

    def _go_on(self, now: float) -> None:
        match self.ladder.gone(now):
            case Happening.OPEN:
                self.start(now)
            case Happening.RESET:
                self.resetting = self._reset(self.spec.accelerator, now)
            case Happening.REST if not self._missing:
                rest_s = round(self.ladder.due - now)
                emit(Event.ACCELERATOR_RESTING, self.name, seconds=rest_s, problem=self.problem)

    def tick(self, now: float) -> None:
        """Do what time calls for: notice an overrun and a cure, climb from SIGTERM to SIGKILL."""
        if self.resetting is not None:
            self._look_after(self.resetting, now)
        life = self.life
        if life is None:
            return
        if self.ladder.tick(now):
            emit(Event.ACCELERATOR_CURED, self.name)
        if life.escalate_at is not None:
            if now >= life.escalate_at:
                self._escalate(life, now)
        elif life.closed:
            life.await_end(now)
        elif not life.doomed:
            self._judge(life, now)

    def _look_after(self, resetting: Resetting, now: float) -> None:
        if resetting.tick(now):
            self.resetting = None
            emit(Event.ACCELERATOR_RESET, self.name, outcome=resetting.problem or "done")
            self._go_on(now)
        elif resetting.stuck and self.state is State.RESETTING:
            self.ladder.unreaped(now)
            emit(Event.ACCELERATOR_STUCK, self.name, pid=resetting.child.pid if resetting.child else 0)

    def _judge(self, life: Life, now: float) -> None:
        try:
            problem = life.overrun(Slot.INFER, self._allowed(life), now)
        except MessageInvalid as error:
            self._distrust(life, error, now)
            return
        if problem and self.fail("overrun", problem, now):
            self._tell("overrun")

    def _allowed(self, life: Life) -> dict[Phase, float]:
        limits = self.spec.accelerator.limits
        return {
            Phase.START: BEGIN_S,
            Phase.LOAD: limits.load_s if life.opened else limits.open_s,
            Phase.INVOKE: limits.invoke_s + _SLACK_S,
        }

    def _escalate(self, life: Life, now: float) -> None:
        if not life.doomed:
            self.fail("died", "it fell silent and did not end", now)
            self._tell("died")
        elif life.escalate(now):
            self.ladder.unreaped(now)
            emit(Event.ACCELERATOR_STUCK, self.name, pid=life.process.pid)

    def leave(self, now: float) -> None:
        """Nobody wants it any more: ask its process to end."""
        self.ladder.leave(now)
        if self.life is not None and not self.life.doomed:
            self.life.dismiss(now)

    def next_tick(self, now: float) -> float | None:
        """Seconds until ``tick`` wants to be called; None when nothing runs."""
        if self.life is not None and self.life.escalate_at is not None:
            return max(0.0, self.life.escalate_at - now)
        return _TICK_S if self.life is not None or self.resetting is not None else None

    def abandon(self) -> None:
        """The agent ends now: leave no process."""
        if self.resetting is not None:
            self.resetting.abandon()
            self.resetting = None
        if self.life is not None:
            self.life.abandon()
            self.life = None
