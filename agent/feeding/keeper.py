"""One source that has a process of its own, as the supervisor sees it: started, watched, started again.

Like the lane it is told the time and never sleeps: ``tick`` and ``next_tick`` are the clock's side,
``receive`` and ``reap`` the process's side.
"""

from __future__ import annotations

from signal import SIGKILL
from typing import TYPE_CHECKING

from agent.errors import MessageInvalid
from agent.events import Event, emit
from agent.feeding import messages
from agent.feeding.process import CaptureProcess
from agent.processes.child import ending
from agent.processes.message import error_of
from agent.recovery.life import BEGIN_S, Life
from agent.types import Phase
from agent.workers.heartbeat import Slot
from agent.workers.messages import Fault, Lost, Opened
from agent.workers.policy import RestartDelay

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterable

    from agent.capture.spec import CaptureSpec
    from agent.config.tables import Deadlines

_TICK_S = 0.25
_SILENT_S = 3.5
"""The thread that serves readers beats twice a second, whatever happens to the source."""
_AGAIN_S = 0.2
"""What was too long has to be so at a look before, too: the whole machine may stand still."""


class Keeper:
    """A source and its process.

    Args:
        spec: what the process is to do.
        deadlines: of opening the source and of reading it.
        spawn: starts the process.

    Attributes:
        life: that of the process that there is now; None when there is none.
        restarts: how often it was started after it had ended badly.
        live: what the source said; None before it was open.
        away: why the source gives nothing now; "" when it does.
        problem: how the last process ended that ended badly.
        ended: whether the source has given its last frame.
        stuck: whether SIGKILL has not ended the process: none is started any more.
    """

    def __init__(
        self,
        spec: CaptureSpec,
        deadlines: Deadlines,
        *,
        spawn: Callable[[bytes], CaptureProcess] = CaptureProcess,
    ) -> None:
        self.spec = spec
        self._deadlines = deadlines
        self._spawn = spawn
        self._delay = RestartDelay()
        self._due = self._started = 0.0
        self._lives = 0
        self._suspect = 0.0
        self._readers: frozenset[str] = frozenset(spec.pipelines)
        self.life: Life | None = None
        self.restarts = 0
        self.live: bool | None = None
        self.away = self.problem = ""
        self.ended = self.stuck = False
        self._hung = ""

    @property
    def name(self) -> str:
        """What the source is called."""
        return self.spec.source

    @property
    def state(self) -> str:
        """Where it stands, in a word."""
        if self.stuck:
            return "stuck"
        if self.life is None:
            return "backoff" if self._due else "stopped"
        if self.life.doomed:
            return "stopping"
        if self.ended:
            return "ended"
        return "away" if self.away else "open" if self.life.opened else "opening"

    def want(self, readers: Iterable[str], now: float) -> None:
        """These pipelines are there to read it: have a process while there are any."""
        wanted = frozenset(readers)
        if not wanted:
            self._due = 0.0
            if self.life is not None and not self.life.doomed:
                self.life.dismiss(now)
            return
        if self.life is None and not self.stuck and now >= self._due:
            self._start(now)
        if self.life is not None and not self.life.doomed and wanted != self._readers:
            message = {"type": "readers", "pipelines": sorted(wanted)}
            if self.life.process.tell(message):
                self._readers = wanted

    def _start(self, now: float) -> None:
        self._lives += 1
        self._started = now
        try:
            process = self._spawn(self.spec.model_dump_json().encode())
        except OSError as error:
            self._failed(f"cannot start a process: {error}", now)
            return
        process.page.enter(Slot.INFER, Phase.START, now)
        self.life = Life(process, self._lives)
        self._readers = frozenset(self.spec.pipelines)
        self._due = 0.0
        self.live, self.away, self.ended = None, "", False
        emit(Event.CAPTURE_STARTED, self.name, pid=process.pid)

    def connect(self, pipeline: str) -> socket.socket | None:
        """Connect a worker to the process; give the worker's end, the caller's to pass on and close."""
        return self.life.connect(pipeline) if self.life else None

    def receive(self) -> None:
        """Take in what the process has said."""
        if (life := self.life) is None:
            return
        for packet in life.packets():
            try:
                self._take(life, messages.parse(packet))
            except MessageInvalid as error:
                emit(Event.MESSAGE_REFUSED, self.name, problem=error)
                life.closed = life.failed = True
                life.process.signal(SIGKILL)

    def _take(self, life: Life, message: messages.FromCapture) -> None:
        match message:
            case Opened(live=live):
                self.live, self.away = live, ""
                life.opened = "live" if live else "recording"
            case Lost(problem=problem):
                self.away = problem
            case messages.Over():
                self.ended = True
            case Fault():
                life.fault = message

    def reap(self, now: float) -> None:
        """After the process ended: say why, and when the next one is due."""
        life = self.life
        if life is None or (code := life.process.exit_code()) is None:
            return
        self.receive()
        life.process.close()
        self.life, self.stuck = None, False
        if not life.dismissed:
            reason = str(error_of(life.fault)) if life.fault else ending(code)
            self._failed(f"{reason}: {self._hung}" if self._hung else reason, now)
        self._hung = ""

    def _failed(self, problem: str, now: float) -> None:
        self.problem = problem
        self.restarts += 1
        self._due = now + self._delay.after(now - self._started)
        emit(Event.CAPTURE_DIED, self.name, problem=problem, pipelines=",".join(self.spec.pipelines))

    def tick(self, now: float) -> None:
        """Do what time calls for: notice an overrun, climb from SIGTERM to SIGKILL."""
        life = self.life
        if life is None:
            return
        if life.escalate_at is not None:
            if now >= life.escalate_at:
                self._escalate(life, now)
        elif life.closed:
            life.await_end(now)
        elif not life.doomed:
            self._judge(life, now)

    def _judge(self, life: Life, now: float) -> None:
        reading = {Phase.OPEN: self._deadlines.open_s, Phase.CAPTURE: self._deadlines.capture_s}
        serving = {Phase.START: BEGIN_S, Phase.WAIT: _SILENT_S}
        try:
            hung = life.overrun(Slot.CAPTURE, reading, now) or life.overrun(Slot.INFER, serving, now)
        except MessageInvalid as error:
            emit(Event.MESSAGE_REFUSED, self.name, problem=error)
            hung = str(error)
        if not hung:
            self._suspect = 0.0
        elif not self._suspect:
            self._suspect = now
        elif now - self._suspect >= _AGAIN_S:
            self._suspect, self._hung = 0.0, hung
            life.failed = True
            self._escalate(life, now)

    def _escalate(self, life: Life, now: float) -> None:
        if life.escalate(now):
            self.stuck = True
            emit(Event.CAPTURE_STUCK, self.name, pid=life.process.pid)

    def next_tick(self, now: float) -> float | None:
        """Seconds until ``tick`` or ``want`` wants to be called; None when nothing is to come."""
        if self.life is None:
            return max(0.0, self._due - now) if self._due else None
        return _TICK_S if self.life.escalate_at is None else max(0.0, self.life.escalate_at - now)

    def abandon(self) -> None:
        """The agent ends now: leave no process."""
        if self.life is not None:
            self.life.abandon()
            self.life = None
