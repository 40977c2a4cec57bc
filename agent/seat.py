"""A lane and what the supervisor keeps beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.metering import Meter

if TYPE_CHECKING:
    from agent.processes.watch import Watch
    from agent.workers.lane import Lane


@dataclass(slots=True)
class Seat:
    """A lane, its meter, and what the selector watches for it."""

    lane: Lane
    watch: Watch
    meter: Meter = field(default_factory=Meter)
