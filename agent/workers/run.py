"""One life of a worker, as the supervisor knows it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.errors import MessageInvalid
from agent.ledger import Ledger
from agent.processes.child import ending
from agent.workers.judging import Learned

if TYPE_CHECKING:
    import signal

    from agent.boards.accelerators import Lend
    from agent.workers import messages
    from agent.workers.camera_messages import Refused
    from agent.workers.media_messages import Pictured, Sent
    from agent.workers.process import WorkerProcess

_MOST_LENT = 16
"""Connections to accelerators that a worker may still speak of."""


FIRST_EASE = 1 << 32
"""Tokens from here on are those of requests to do with less."""


@dataclass(slots=True)
class Run:
    """One life of the worker.

    Attributes:
        away: why it has no source just now.
        unwell: the faults that its camera has just now.
        refused: why the last frame of a live source that it told of could not be used.
        asked: tokens of swaps that it has not answered.
        dismissed: whether it was asked to end.
        renewed: whether a new one is to follow at once, however it ends.
        eases: answers to requests to do with less; whoever asked takes them.
        received: bytes of its packets.
        held: an answer that is taken in after the records before it.
        hung: what it was doing for too long, if it is killed for that.
        twin: what the CPU twin of the model that serves runs on, as it said last.
        lent: the connections that it was given, by generation; the last few.
        borrows: whether it has an accelerator now, or may have: then it is not known how long its twin takes.
        learned: how long its model takes on the CPU.
        media: what it has sent; whoever calls receive takes them, and closes their memory.
        pictures: what it was asked for, by token: a picture, why there is none, None while neither is there;
            whoever has asked lets go of it.
        unwanted: tokens of those that nobody waits for any more.
    """

    process: WorkerProcess
    started: float
    ledger: Ledger = field(default_factory=Ledger)
    ready: messages.Ready | None = None
    live: bool | None = None
    away: str = ""
    unwell: set[str] = field(default_factory=set)
    refused: Refused | None = None
    fault: messages.Fault | None = None
    ended: bool = False
    closed: bool = False
    escalate_at: float | None = None
    signals: list[signal.Signals] = field(default_factory=list)
    dismissed: bool = False
    renewed: bool = False
    asked: set[int] = field(default_factory=set)
    eases: list[messages.Swapped | messages.Unswapped] = field(default_factory=list)
    received: int = 0
    held: messages.Swapped | messages.Accelerated | messages.Incident | messages.Relieved | None = None
    timings: list[messages.Timings] = field(default_factory=list)
    hung: str = ""
    twin: tuple[str, tuple[int, int]] = ("", (0, 0))
    lent: dict[int, Lend] = field(default_factory=dict)
    borrows: bool = False
    learned: Learned = field(default_factory=Learned)
    media: list[Sent] = field(default_factory=list)
    pictures: dict[int, Pictured | str | None] = field(default_factory=dict)
    unwanted: set[int] = field(default_factory=set)

    @property
    def usual(self) -> Learned | None:
        """How long its model takes; None while it may be an accelerator that ran it."""
        return None if self.borrows else self.learned

    def lend(self, loan: Lend) -> None:
        """It was given a connection."""
        self.lent[loan.generation] = loan
        self.borrows = True
        while len(self.lent) > _MOST_LENT:
            del self.lent[min(self.lent)]

    def loses(self, generation: int) -> None:
        """It has let go of a connection; an older one than it has now does not matter."""
        if generation == max(self.lent):
            self.borrows = False

    def wants_picture(self, token: int) -> bool:
        """Whether somebody waits for a picture.

        Raises:
            MessageInvalid: nobody ever has asked for it, or it was given already.
        """
        if token in self.unwanted:
            self.unwanted.remove(token)
            return False
        if token not in self.pictures or self.pictures[token] is not None:
            raise MessageInvalid("read packet", "picture", "nobody has asked for it")
        return True

    def let_go(self, token: int) -> None:
        """Nobody waits for a picture any more."""
        if token not in self.pictures:
            return
        found = self.pictures.pop(token)
        if found is None:
            self.unwanted.add(token)
        elif not isinstance(found, str):
            os.close(found.fd)

    def ending(self, code: int) -> str:
        """Say in words how it ended."""
        return f"{ending(code)}: it hung, {self.hung}" if self.hung else ending(code)
