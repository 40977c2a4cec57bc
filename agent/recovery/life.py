"""One life of a process that owns a device, as the supervisor knows it."""

from __future__ import annotations

import signal
import socket
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from agent.types import Phase
    from agent.workers.heartbeat import Slot
    from agent.workers.messages import Fault
    from agent.workers.process import WatchedChild

_STOP_S, _TERM_S, _KILL_S = 2.0, 0.25, 5.0
_PACKETS_A_TURN = 16
BEGIN_S = 30.0
"""From the start of its process to the first library that it loads."""


@dataclass(slots=True)
class Life:
    """One life of the process.

    Attributes:
        number: of this life, from 1.
        opened: what it has opened, in words; "" before it has.
        failed: whether an incident has befallen it: it is being ended.
        dismissed: whether it was asked to end.
        closed: whether it can say no more.
        fault: why it is about to end, if it said so.
        escalate_at: when the next signal is due.
        signals: what it was sent.
    """

    process: WatchedChild
    number: int
    opened: str = ""
    failed: bool = False
    dismissed: bool = False
    closed: bool = False
    fault: Fault | None = None
    escalate_at: float | None = None
    signals: list[signal.Signals] = field(default_factory=list)

    @property
    def doomed(self) -> bool:
        """Whether it is to end."""
        return self.failed or self.dismissed

    def overrun(self, slot: Slot, allowed: Mapping[Phase, float], now: float) -> str:
        """Say what has taken one of its threads too long; "" for nothing.

        Args:
            slot: the thread's.
            allowed: the seconds that each phase may take; one that is not there may take any time.
            now: seconds of the monotonic clock.

        Raises:
            MessageInvalid: it has written over its heartbeat page.
        """
        phase, since = self.process.page.read(slot)
        if phase not in allowed or now - since <= allowed[phase]:
            return ""
        return f"it hung in {phase.name.lower()} for {now - since:.1f} s"

    def packets(self) -> Iterator[bytes]:
        """Give what it has said, a turn's worth; afterwards it is ``closed`` if it can say no more."""
        for _ in range(_PACKETS_A_TURN):
            if self.closed:
                return
            packet = self.process.channel.receive()
            if not packet:
                self.closed = packet is not None
                return
            yield packet

    def connect(self, pipeline: str) -> socket.socket | None:
        """Connect a worker to it; give the worker's end, the caller's to pass on and close. None: it ends."""
        if self.doomed or self.closed:
            return None
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            if self.process.tell({"type": "connect", "pipeline": pipeline}, [theirs.fileno()]):
                return ours
        ours.close()
        return None

    def dismiss(self, now: float) -> None:
        """Ask it to end; one that cannot be asked is signalled at the next tick."""
        self.dismissed = True
        self.escalate_at = now + (_STOP_S if self.process.tell({"type": "stop"}) else 0.0)

    def await_end(self, now: float) -> None:
        """It can say no more, and should be gone any moment."""
        self.escalate_at = now + _TERM_S

    def escalate(self, now: float) -> bool:
        """Send SIGTERM, and the next time SIGKILL; give whether nothing is left to send."""
        if len(self.signals) == 2:
            self.escalate_at = None
            return True
        number, wait_s = (signal.SIGKILL, _KILL_S) if self.signals else (signal.SIGTERM, _TERM_S)
        self.signals.append(number)
        self.escalate_at = now + wait_s
        self.process.signal(number)
        return False

    def abandon(self) -> None:
        """The agent ends now: kill it, and free what it holds here."""
        self.process.signal(signal.SIGKILL)
        self.process.exit_code()
        self.process.close()
