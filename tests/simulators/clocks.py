"""A clock that the test moves."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class ManualClock:
    """Both clocks stand still until the test sets them; ``tick`` moves both."""

    now: float = 1000.0
    wall: int = 1_700_000_000_000_000_000
    boot: str = "b" * 16
    in_sync: bool | None = True

    def monotonic(self) -> float:
        return self.now

    def wall_ns(self) -> int:
        return self.wall

    def synced(self) -> bool | None:
        return self.in_sync

    def tick(self, seconds: float) -> None:
        self.now += seconds
        self.wall += round(seconds * 1e9)
