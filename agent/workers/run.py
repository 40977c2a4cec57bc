"""One life of a worker, as the supervisor knows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import orjson

from agent.child import ending
from agent.ledger import Ledger

if TYPE_CHECKING:
    import signal
    from collections.abc import Mapping

    from agent.workers import messages
    from agent.workers.process import WorkerProcess


@dataclass(slots=True)
class Run:
    """One life of the worker.

    Attributes:
        away: why it has no source just now.
        asked: tokens of swaps that it has not answered.
        dismissed: whether it was asked to end.
        renewed: whether a new one is to follow at once, however it ends.
        held: an answer that is taken in after the records before it.
        hung: what it was doing for too long, if it is killed for that.
    """

    process: WorkerProcess
    started: float
    ledger: Ledger = field(default_factory=Ledger)
    ready: messages.Ready | None = None
    live: bool | None = None
    away: str = ""
    fault: messages.Fault | None = None
    ended: bool = False
    closed: bool = False
    escalate_at: float | None = None
    signals: list[signal.Signals] = field(default_factory=list)
    dismissed: bool = False
    renewed: bool = False
    asked: set[int] = field(default_factory=set)
    held: messages.Swapped | None = None
    timings: list[messages.Timings] = field(default_factory=list)
    hung: str = ""

    def tell(self, message: Mapping[str, object]) -> bool:
        """Send the worker a message; give whether it is there and has room for it."""
        try:
            self.process.channel.send(orjson.dumps(message))
        except OSError:
            return False
        return True

    def ending(self, code: int) -> str:
        """Say in words how it ended."""
        return f"{ending(code)}: it hung, {self.hung}" if self.hung else ending(code)
