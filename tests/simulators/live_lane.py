"""A lane with real workers, turned as the supervisor turns it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Self

from agent.config.tables import Deadlines
from agent.workers.lane import Lane
from agent.workers.policy import State

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.workers.messages import Swapped, Unswapped
    from agent.workers.record import Record
    from agent.workers.spec import LaneSpec


class LiveLane:
    """Runs a lane, and keeps what it says.

    Attributes:
        kept: each record, with the name of the model whose work it is said to be.
        replies: answers to swaps.
    """

    def __init__(self, spec: LaneSpec, **deadlines: float) -> None:
        self.lane = Lane(spec, Deadlines(**deadlines))
        self.kept: list[tuple[str, Record]] = []
        self.replies: list[Swapped | Unswapped] = []

    def __enter__(self) -> Self:
        self.lane.start(time.monotonic())
        return self

    def __exit__(self, *_: object) -> None:
        self.lane.stop(time.monotonic())
        self.until(lambda: self.lane.run is None)

    def turn(self) -> None:
        """Take in what there is, once."""
        over = self.lane.run is not None and self.lane.run.process.exit_code() is not None
        records = self.lane.receive()
        ready = self.lane.ready
        if ready is not None:
            self.kept += [(ready.model, record) for record in records]
        if over and not records:
            self.lane.reap(time.monotonic())
        self.lane.tick(time.monotonic())
        self.replies += self.lane.take_replies()

    def until(self, condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, (self.lane.state, self.lane.fault)
            self.turn()
            time.sleep(0.001)

    def frames(self, more: int = 5) -> None:
        """Wait for some more records."""
        wanted = len(self.kept) + more
        self.until(lambda: len(self.kept) >= wanted)

    def runs(self) -> None:
        """Wait until the worker runs."""
        self.until(lambda: self.lane.state is State.RUNNING)

    @property
    def values(self) -> list[tuple[str, Any]]:
        """Give each record's model and what it answered."""
        return [(model, record.items[0]["mean"]) for model, record in self.kept if record.kind == "tensor"]
