"""A process whose use of the CPU is what a test says."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Usage:
    """What it has used; None for what cannot be read."""

    seconds: float | None = 0.0

    def cpu_seconds(self) -> float | None:
        return self.seconds


@dataclass
class Process:
    """The process."""

    usage: Usage = field(default_factory=Usage)
