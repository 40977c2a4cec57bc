"""The updater's process: one at a time, started when there is something to fetch. Told the time."""

from __future__ import annotations

import random
import signal
from typing import TYPE_CHECKING

from agent.errors import BundleRefused, FetchFailed, MessageInvalid
from agent.events import Event, emit
from agent.processes.child import Child, ending
from agent.processes.message import error_of
from agent.updater import messages

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.errors import AgentError
    from agent.updater.messages import FromUpdater, UpdaterSpec

_PROGRAM = "agent.updater.main"
_FIRST_S, _LONGEST_S = 5.0, 600.0
"""Between two attempts that fail: a random wait of up to this, doubling; the last is the most."""
_HINT_S = 30.0
"""Hints are not signed: they make it look at most so often, and ever more seldom when they bring nothing."""
_SILENT_S = 600.0
"""A process that has said nothing for so long hangs: it says how far it is about once a second."""
_TERM_S, _KILL_S = 2.0, 5.0
_PACKETS_A_TURN = 64
_LAST_READS = 16
_TICK_S = 1.0


def started(spec_json: bytes) -> Child:
    """Start an updater with what it is to do.

    Raises:
        OSError: this machine cannot start one now.
    """
    return Child(_PROGRAM, spec_json)


class Fetching:
    """Runs the updater.

    Args:
        spec: says what it is to do, when it starts.
        hear: takes what it says.
        refresh_s: seconds between two looks at the metadata when nothing is wanted.
        spawn: starts the process.
    """

    def __init__(
        self,
        spec: Callable[[], UpdaterSpec],
        hear: Callable[[FromUpdater], None],
        refresh_s: float,
        spawn: Callable[[bytes], Child] = started,
    ) -> None:
        self._spec, self._hear, self._spawn = spec, hear, spawn
        self._refresh_s = refresh_s
        self._due = 0.0
        self._failures = 0
        self._asked: tuple[messages.Ask, ...] = ()
        self._hint_at, self._hint_s = 0.0, _HINT_S
        self._later = False
        self._hinted = self._known = (0, 0)
        self._heard = 0.0
        self._escalate_at: float | None = None
        self._signals = 0
        self._closed = self._ended = self._failed = False
        self._stuck = self._ending = self._urged = False
        self.child: Child | None = None
        self.problem = ""

    def urge(self, now: float) -> None:
        """Something new is wanted: start at once, or when the one that runs has ended."""
        self._failures = 0
        self._due, self._urged = now, self.child is not None

    def hint(self, now: float, news: tuple[int, int] | None = None) -> None:
        """Somebody says that there is news: versions of root and timestamp; None where it may be any."""
        if news is not None and not self._is_new(news):
            return
        if now < self._hint_at:  # a hint comes once: who looks away now looks when the rest is over
            self._later, self._due = True, min(self._due, self._hint_at)
        else:
            self._hint_at, self._hint_s = now + self._hint_s, min(2 * self._hint_s, _LONGEST_S)
            self._due = now
            if self.child is not None:  # it may have asked before there was news
                self._urged, self._hinted = news is None, news or (0, 0)

    def _is_new(self, news: tuple[int, int]) -> bool:
        return any(told > known for told, known in zip(news, self._known, strict=True))

    def tick(self, now: float) -> None:
        """Start what is due; end what hangs."""
        if self.child is None:
            if now >= self._due and not self._ending:
                self._start(now)
        elif self._escalate_at is not None:
            if now >= self._escalate_at and not self._stuck:
                self._escalate(self.child, now)
        elif now - self._heard > _SILENT_S or self._closed:
            self._escalate_at = now + (_TERM_S if self._closed else 0.0)

    def _start(self, now: float) -> None:
        spec = self._spec()
        self._asked = spec.ask
        self._heard, self._escalate_at, self._signals = now, None, 0
        self._closed = self._ended = self._failed = self._urged = False
        self._hinted = (0, 0)
        if self._later:
            self._later, self._hint_at = False, now + self._hint_s
            self._hint_s = min(2 * self._hint_s, _LONGEST_S)
        try:
            self.child = self._spawn(spec.model_dump_json().encode())
        except OSError as error:
            self._over(FetchFailed("start", "updater", str(error)), now)

    def receive(self, now: float) -> None:
        """Take in what it has said."""
        if self.child is None or self._closed:
            return
        for _ in range(_PACKETS_A_TURN):
            packet = self.child.channel.receive()
            if not packet:
                self._closed = packet is not None
                return
            self._heard = now
            try:
                message = messages.parse(packet)
            except MessageInvalid as error:
                emit(Event.MESSAGE_REFUSED, "updater", problem=error)
                self._closed = True
                self.child.signal(signal.SIGKILL)
                return
            self._take(message)

    def _take(self, message: FromUpdater) -> None:
        match message:
            case messages.Done():
                self._ended = True
            case messages.Failed():
                error = error_of(message)
                self._failed = self._failed or not isinstance(error, BundleRefused)
                self.problem = str(error)
                emit(Event.UPDATER_FAILED, message.name or "metadata", problem=error)
            case messages.Refreshed():
                self.problem = ""
                if self._is_new((message.root, message.timestamp)):
                    self._known, self._hint_s = (message.root, message.timestamp), _HINT_S
        self._hear(message)

    def reap(self, now: float) -> None:
        """The process has ended: read what is left, and decide when the next one starts."""
        if self.child is None or (code := self.child.exit_code()) is None:
            return
        for _ in range(_LAST_READS):
            self.receive(now)
        self.child.close()
        self.child = None
        self._stuck = False
        died = None if self._ended else FetchFailed("run", "updater", f"its process has died: {ending(code)}")
        self._over(died, now)

    def _over(self, died: AgentError | None, now: float) -> None:
        if died is not None and not self._ending:
            self.problem = str(died)
            emit(Event.UPDATER_FAILED, "process", problem=died)
        if died is not None or self._failed:
            wait_s = min(_LONGEST_S, _FIRST_S * 2**self._failures)
            self._failures = min(self._failures + 1, 16)
            again = now + random.uniform(_TICK_S, wait_s)  # noqa: S311 - spreads a fleet, keeps no secret
        else:
            self._failures = 0
            again = now + self._refresh_s
        newer = set(self._spec().ask) - set(self._asked)
        self._due = now if newer or self._urged or self._is_new(self._hinted) else again
        if self._later:
            self._due = min(self._due, self._hint_at)

    def _escalate(self, child: Child, now: float) -> None:
        """SIGTERM, then SIGKILL, then call it stuck."""
        self._signals += 1
        if self._signals == 1:
            child.signal(signal.SIGTERM)
            self._escalate_at = now + _TERM_S
        elif self._signals == 2:
            child.signal(signal.SIGKILL)
            self._escalate_at = now + _KILL_S
        else:
            self._stuck = True
            emit(Event.UPDATER_STUCK, "process", pid=child.pid)

    @property
    def watched(self) -> bool:
        """Whether there is a process that may still say something."""
        return self.child is not None and not self._closed

    def next_tick(self, now: float) -> float | None:
        """Seconds until ``tick`` wants to be called."""
        if self.child is None:
            return None if self._ending else max(0.0, self._due - now)
        return _TICK_S if self._escalate_at is None else max(0.0, self._escalate_at - now)

    def stop(self) -> None:
        """Start no other, and end this one: the next one goes on where it was."""
        self._ending = True
        if self.child is not None:
            self.child.signal(signal.SIGKILL)
            self._closed = True

    def abandon(self) -> None:
        """The agent ends now: leave no process."""
        self.stop()
        if self.child is not None:
            self.child.exit_code()
            self.child.close()
            self.child = None
