"""Lanes with real workers and the accelerators that they use, turned as the supervisor turns them."""

from __future__ import annotations

import selectors
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from agent.clock import SystemClock
from agent.config.tables import Deadlines
from agent.recovery.accelerators import Accelerators
from agent.workers.lane import Lane

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.boards.accelerators import Accelerator
    from agent.workers.record import Record
    from agent.workers.spec import LaneSpec


@dataclass(frozen=True, slots=True)
class Work:
    """A record, when it came (CLOCK_MONOTONIC), and whose work it is said to be."""

    came_ns: int
    delegate: str
    record: Record


class Line:
    """Pipelines and accelerators; a context manager that leaves nothing.

    Attributes:
        work: what each pipeline has reported, oldest first.
    """

    def __init__(self, known: Sequence[Accelerator], *specs: LaneSpec, **deadlines: float) -> None:
        self.lanes = {spec.pipeline: Lane(spec, Deadlines(**deadlines)) for spec in specs}
        self._selector = selectors.DefaultSelector()
        self.all = Accelerators(known, specs, list(self.lanes.values()), self._selector, clock=SystemClock())
        self.work: dict[str, list[Work]] = {name: [] for name in self.lanes}

    def __enter__(self) -> Self:
        for lane in self.lanes.values():
            lane.start(time.monotonic())
        return self

    def __exit__(self, *_: object) -> None:
        for lane in self.lanes.values():
            lane.stop(time.monotonic())
        try:
            self.until(lambda: self.all.idle and not any(lane.run for lane in self.lanes.values()))
        finally:
            self.all.close()
            self._selector.close()

    def turn(self) -> None:
        """Take in what there is, once."""
        for key, _ in self._selector.select(0.002):
            key.data()
        for name, lane in self.lanes.items():
            over = lane.run is not None and lane.run.process.exit_code() is not None
            records = lane.receive()
            delegate = lane.ready.delegate if lane.ready else ""
            now_ns = time.monotonic_ns()
            self.work[name] += [Work(now_ns, delegate, record) for record in records]
            if records:
                self.all.saw(name, records)
            elif over:
                lane.reap(time.monotonic())
            lane.tick(time.monotonic())
        self.all.tick(time.monotonic())

    def until(self, condition: Callable[[], bool], timeout_s: float = 60.0) -> None:
        """Take in until something holds."""
        deadline = time.monotonic() + timeout_s
        while not condition():
            states = {name: owner.state for name, owner in self.all.owners.items()}
            assert time.monotonic() < deadline, (states, self.all.status(time.monotonic()))
            self.turn()

    def until_on(self, name: str, delegate: str, more: int = 5) -> None:
        """Wait for some more results of a pipeline that are a delegate's work."""
        seen = len(self.work[name])
        self.until(lambda: sum(one.delegate == delegate for one in self.work[name][seen:]) >= more)

    def delegate(self, name: str) -> str:
        """What serves a pipeline now."""
        ready = self.lanes[name].ready
        return ready.delegate if ready else ""
