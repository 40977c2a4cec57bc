"""A lane with puppets for workers, and a clock that the test moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.config.tables import Deadlines
from agent.workers.lane import Lane
from agent.workers.policy import State
from agent.workers.spec import LaneSpec
from tests.simulators.puppet_worker import PuppetWorker, Spawner

if TYPE_CHECKING:
    from agent.types import Phase

DEADLINES = Deadlines(start_s=20, load_s=30, open_s=6, capture_s=4, invoke_s=2)


class Stage:
    """A lane, its workers, and the time."""

    def __init__(self) -> None:
        self.spawner = Spawner()
        self.now = 1000.0
        spec = LaneSpec(pipeline="door", model="m", source="video")
        self.lane = Lane(spec, DEADLINES, spawn=self.spawner)

    @property
    def worker(self) -> PuppetWorker:
        return self.spawner.last

    def state(self) -> State:
        return self.lane.state

    def start(self, *, live: bool) -> None:
        self.lane.start(self.now)
        self.worker.ready(live=live)
        self.lane.receive()
        assert self.lane.state is State.RUNNING

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.lane.tick(self.now)

    def end(self, code: int) -> int | None:
        """The worker ends; the lane reads what it had sent, and reaps it."""
        self.worker.die(code)
        self.lane.receive()
        return self.lane.reap(self.now)

    def hang(self, capture: Phase, infer: Phase) -> None:
        self.worker.beat(capture, infer, self.now)
