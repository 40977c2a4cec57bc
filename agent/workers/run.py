"""One life of a worker, as the supervisor knows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.ledger import Ledger

if TYPE_CHECKING:
    import signal

    from agent.workers import messages
    from agent.workers.process import WorkerProcess


@dataclass(slots=True)
class Run:
    """One life of the worker; ``away`` is why it has no source just now."""

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
    timings: list[messages.Timings] = field(default_factory=list)
