"""All processes that own devices for workers, as the supervisor's loop sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable


class Owner(Protocol):
    """What looks after the processes of one sort."""

    def tick(self, now: float) -> None:
        """Do what time calls for."""

    def pids(self) -> set[int]:
        """The process ids."""

    def next_tick(self, now: float) -> list[float]:
        """Seconds until ``tick`` wants to be called, of each."""

    def cpu_seconds(self, pipeline: str) -> float:
        """Give the CPU time that a pipeline has had of them, since the start."""

    @property
    def idle(self) -> bool:
        """Whether no process is left that could end by itself."""

    def close(self) -> None:
        """The agent ends now: leave no process."""


class Owners:
    """All sorts together.

    Args:
        owners: one a sort.
    """

    def __init__(self, *owners: Owner) -> None:
        self._owners: Iterable[Owner] = owners

    def tick(self, now: float) -> None:
        """Let each do what time calls for."""
        for one in self._owners:
            one.tick(now)

    def pids(self) -> set[int]:
        """The process ids of all."""
        return set[int]().union(*(one.pids() for one in self._owners))

    def next_tick(self, now: float) -> list[float]:
        """Seconds until ``tick`` wants to be called."""
        return [wait for one in self._owners for wait in one.next_tick(now)]

    def cpu_seconds(self, pipeline: str) -> float:
        """Give the CPU time that a pipeline has had of all."""
        return sum(one.cpu_seconds(pipeline) for one in self._owners)

    @property
    def idle(self) -> bool:
        """Whether no process is left that could end by itself; once no worker runs they are asked to."""
        return all(one.idle for one in self._owners)

    def close(self) -> None:
        """The agent ends now: leave no process."""
        for one in self._owners:
            one.close()
