"""What may be on its way of all lanes together, and whose turn it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.link.window import MAX_BATCHES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.link.lane import Lane

_MOST_BYTES = 1 << 20


class Budget:
    """One bound for all lanes.

    The more urgent lane goes first, but none waits for ever: after ``Lane.patience`` batches of others it is
    its turn. A lane with nothing on its way may always send one batch, whatever the bytes of the others.

    Args:
        lanes: the most urgent first.
    """

    def __init__(self, lanes: Sequence[Lane]) -> None:
        self._lanes = lanes
        self._batches = MAX_BATCHES

    def resize(self, receive_max: int) -> None:
        """Take up what the broker allows."""
        self._batches = max(1, min(MAX_BATCHES, receive_max))
        for lane in self._lanes:
            lane.window.resize(lane.limit(self._batches))

    def next(self, now: float, *, urgent_only: bool) -> tuple[Lane, int] | None:
        """Give the lane whose turn it is, and how many bytes it may send; None: nobody's."""
        if self._full:
            return None
        ready = [
            lane
            for lane in self._lanes
            if lane.wants(now) and (lane.urgent or not urgent_only) and self.room(lane)
        ]
        if not ready:
            return None
        chosen = next((lane for lane in reversed(ready) if lane.waited > lane.patience), ready[0])
        for lane in ready:
            lane.waited += 1
        chosen.waited = 0
        return chosen, self.room(chosen)

    def room(self, lane: Lane) -> int:
        """How many bytes ``lane`` may send now."""
        room = lane.room()
        if not len(lane.window):
            return room
        return min(room, max(0, _MOST_BYTES - sum(one.window.bytes for one in self._lanes)))

    def allows(self, lane: Lane) -> bool:
        """Whether one more part of a lease, whose place is taken already, may follow."""
        return not self._full and self.room(lane) > 0

    @property
    def _full(self) -> bool:
        """Whether so many batches are on their way, or about to be, as may be."""
        return sum(len(one.window) + bool(one.asked) for one in self._lanes) >= self._batches
