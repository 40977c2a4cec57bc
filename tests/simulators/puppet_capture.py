"""Shared sources with puppets for their processes and workers, and a clock that the test moves."""

from __future__ import annotations

import os
import selectors
from typing import Any

from agent.capture.spec import CaptureSpec
from agent.feeding.feeds import Feeds
from agent.feeding.keeper import Keeper
from agent.feeding.process import CaptureProcess
from agent.types import Phase
from agent.workers.heartbeat import Page, Slot
from agent.workers.lane import Lane
from agent.workers.spec import LaneSpec
from agent.workers.usage import Usage
from tests.simulators.clocks import ManualClock
from tests.simulators.lane_stage import DEADLINES
from tests.simulators.puppet_accelerator import PuppetChild
from tests.simulators.puppet_worker import PuppetWorker, Spawner


class PuppetCapture(PuppetChild, CaptureProcess):
    """What the supervisor sees of a capture process, and the process's own ends of it."""

    def __init__(self, spec_json: bytes, pid: int) -> None:
        self.spec = CaptureSpec.model_validate_json(spec_json)
        self.page = Page.create()
        self.usage = Usage(os.getpid())
        PuppetChild.__init__(self, pid)

    def beat(self, slot: Slot, phase: Phase, at: float) -> None:
        """Write its word as it would have been written at ``at``."""
        self.page._words[slot] = phase << 56 | int(at * 1e9) >> 10


class Booth:
    """One source, "yard", with the pipelines "a" and "b"."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.selector = selectors.DefaultSelector()
        self.born: list[PuppetCapture] = []
        self.broken = False
        specs = [LaneSpec(pipeline=name, model="m", source="video", apart=True) for name in ("a", "b")]
        self.spawners = {spec.pipeline: Spawner() for spec in specs}
        self.lanes = {
            spec.pipeline: Lane(spec, DEADLINES, spawn=self.spawners[spec.pipeline]) for spec in specs
        }
        source = CaptureSpec(source="yard", kind="video", pipelines=("a", "b"))
        self.feeds = Feeds(
            [source], list(self.lanes.values()), self.selector, DEADLINES, clock=self.clock,
            keep=lambda spec, deadlines: Keeper(spec, deadlines, spawn=self._spawn),
        )  # fmt: skip

    def _spawn(self, spec_json: bytes) -> PuppetCapture:
        if self.broken:
            raise OSError(11, "Resource temporarily unavailable")
        self.born.append(PuppetCapture(spec_json, 4000 + len(self.born)))
        return self.born[-1]

    @property
    def process(self) -> PuppetCapture:
        """The newest process."""
        return self.born[-1]

    @property
    def keeper(self) -> Keeper:
        """What looks after it."""
        return self.feeds.keepers[0]

    def worker(self, name: str) -> PuppetWorker:
        """Give a pipeline's newest worker."""
        return self.spawners[name].last

    def begin(self, *names: str) -> None:
        """Have these pipelines run, and the source's process beat."""
        for name in names:
            self.lanes[name].start(self.clock.now)
            self.worker(name).ready(live=True)
            self.lanes[name].receive()
        self.turn()

    def turn(self, seconds: float = 0.0, *, beating: bool = True) -> None:
        """Let time pass, and the supervisor take a turn."""
        self.clock.now += seconds
        if self.keeper.life is not None and beating:
            self.process.beat(Slot.INFER, Phase.WAIT, self.clock.now)
        for key, _ in self.selector.select(0):
            key.data()
        self.keeper.reap(self.clock.now)
        self.feeds.tick(self.clock.now)

    def status(self) -> dict[str, Any]:
        """What is said of the source."""
        [found] = self.feeds.status()
        return found

    def bury(self) -> None:
        """Leave nothing."""
        for spawner in self.spawners.values():
            for worker in spawner.born:
                if not worker.closed:
                    worker.die(0)
                    worker.close()
        for one in self.born:
            one.die(0)
        self.feeds.close()
        self.selector.close()
