"""A runner with small real parts: scripted frames, and the engine of small_engine.py."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

from agent.histogram import Histogram
from agent.pipeline.capture import Capture
from agent.pipeline.runner import Runner
from agent.pipeline.slot import Slot
from agent.types import Phase
from tests.simulators.scripted_source import ScriptedSource
from tests.simulators.small_engine import AddOne, engine

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from agent.ledger import Ledger
    from agent.pipeline.engine import Engine
    from agent.pipeline.slot import Item
    from agent.pipeline.steps import Step
    from agent.types import Array, Backend, Result
    from tests.simulators.scripted_source import Step as Scripted


class Bench:
    """A runner with its pipeline, and the packets that it sent, with the time and the phase of each."""

    def __init__(
        self,
        script: Iterable[Scripted],
        *,
        live: bool = False,
        seconds: float = 0.0,
        sizes: dict[int, int] | None = None,
        backend: Backend | None = None,
        steps: Sequence[Step] = (),
    ) -> None:
        self.slot = Slot(engine(backend or AddOne(seconds), sizes))
        self.turns: list[tuple[int, Engine]] = []
        self.said: list[tuple[int, Mapping[str, Any]]] = []
        self.stop = threading.Event()
        self.packets: list[tuple[Ledger, list[dict[str, Any]]]] = []
        self.sizes: list[int] = []
        self.stages: dict[str, Histogram] = {}
        self.times: list[float] = []
        self.beats: list[Phase] = []
        self.drawn: list[tuple[int, float]] = []
        self.source = ScriptedSource(script, live=live)
        capture = Capture(
            open_source=lambda _: self.source,
            slot=self.slot,
            reporter=self,
            beat=lambda _: None,
            stop=self.stop,
            once=not live,  # a lost source ends it; a live source that is asked once would drop nothing
            keep_pixels=True,
        )
        self.runner = Runner(
            capture=capture,
            slot=self.slot,
            outlet=self,
            beat=self.beats.append,
            turned=self.turned,
            steps=steps,
            draw=self.draw,
        )

    def run(self) -> str:
        """Run it; however that ends, let the capture thread go."""
        try:
            return self.runner.run()
        finally:
            self.stop.set()
            deadline = time.monotonic() + 2
            while not self.slot.over and time.monotonic() < deadline:
                if item := self.slot.take(0.01):
                    self.slot.settle(item)

    def turned(self, engine: Engine) -> None:
        """Note how many records were sent before it."""
        self.turns.append((len(self.records), engine))

    def opened(self, *, live: bool) -> None: ...

    def lost(self, problem: str) -> None: ...

    def refused(self, reason: str, problem: str) -> None: ...

    def captured(self, count: int) -> None: ...

    def results(self, ledger: Ledger, records: Sequence[bytes]) -> None:
        assert self.beats[-1] is Phase.SEND
        self.packets.append((ledger, [json.loads(record) for record in records]))
        self.sizes.append(sum(map(len, records)))
        self.times.append(time.monotonic())

    def timings(self, stages: Mapping[str, Histogram]) -> None:
        assert self.beats[-1] is Phase.SEND
        for name, one in stages.items():
            self.stages.setdefault(name, Histogram()).merge(one)

    def say(self, message: Mapping[str, Any]) -> None:
        """Note how many records were sent before it."""
        assert self.beats[-1] is Phase.SEND
        self.said.append((len(self.records), message))

    def draw(self, pixels: Array, item: Item, result: Result) -> None:
        self.drawn.append((item.info.seq, float(pixels[0])))

    @property
    def records(self) -> list[dict[str, Any]]:
        return [record for _, records in self.packets for record in records]
