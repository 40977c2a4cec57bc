"""A runner with small real parts: scripted frames, a model that adds one, a decoder that reads it."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.errors import BackendFault, InputRejected
from agent.histogram import Histogram
from agent.pipeline.capture import Capture
from agent.pipeline.runner import Runner
from agent.pipeline.slot import BUFFERS, Slot
from agent.types import Phase, Result, TensorSpec
from tests.simulators.scripted_source import ScriptedSource

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from agent.ledger import Ledger
    from agent.pipeline.slot import Item
    from agent.types import Array, Frame, FrameInfo
    from tests.simulators.scripted_source import Step

BAD = InputRejected("read picture", "b.jpg", "it is torn", "Copy it again")
FAULTY, UNDECODABLE, WRONG, LONG = 900, 901, 902, 903
"""Frames with this content make the model fail, the decoder fail, the model reject, the result grow long."""


class AddOne:
    """A backend."""

    inputs = outputs = (TensorSpec("x", "float32", (2,)),)
    runtime, delegate, delegated = "python", "cpu", (0, 1)

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def infer(self, tensors: Sequence[Array]) -> Sequence[Array]:
        if tensors[0][0] == FAULTY:
            raise BackendFault("run model", "m", "the delegate is gone")
        if tensors[0][0] == WRONG:
            raise InputRejected("run model", "m", "wrong shape")
        time.sleep(self.seconds)
        return (tensors[0] + 1,)

    def close(self) -> None: ...


class Watch(AddOne):
    """A clock that moves while the model runs, and only then."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def monotonic_ns(self) -> int:
        return round(self.now * 1e9)

    def infer(self, tensors: Sequence[Array]) -> Sequence[Array]:
        self.now += self.seconds
        return tensors


class Read:
    """A decoder."""

    def __init__(self, sizes: dict[int, int]) -> None:
        self.sizes = sizes

    def decode(self, outputs: Sequence[Array], frame: FrameInfo, inputs: Sequence[Array] = ()) -> Result:
        value = outputs[0][0]
        if value == UNDECODABLE + 1:
            raise InputRejected("decode", "x", "no such class")
        size = 60_000 if value == LONG + 1 else self.sizes.get(int(value) - 1, 0)
        return Result("sum", ({"value": np.float32(value), "of": frame.seq, "pad": "x" * size},))


class Bench:
    """A runner with its pipeline, and the packets that it sent, with the time and the phase of each."""

    def __init__(
        self,
        script: Iterable[Step],
        *,
        live: bool = False,
        seconds: float = 0.0,
        sizes: dict[int, int] | None = None,
    ) -> None:
        self.slot = Slot()
        self.stop = threading.Event()
        self.packets: list[tuple[Ledger, list[dict[str, Any]]]] = []
        self.sizes: list[int] = []
        self.stages: dict[str, Histogram] = {}
        self.times: list[float] = []
        self.beats: list[Phase] = []
        self.drawn: list[tuple[int, float]] = []
        self.source = ScriptedSource(script, live=live)
        buffers = [np.zeros(2, np.float32) for _ in range(BUFFERS)]
        capture = Capture(
            open_source=lambda _: self.source,
            prepare=self.prepare,
            buffers=buffers,
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
            backend=AddOne(seconds),
            decoder=Read(sizes or {}),
            buffers=buffers,
            outlet=self,
            beat=self.beats.append,
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

    def prepare(self, frame: Frame, into: Array) -> None:
        np.copyto(into, frame.data)

    def opened(self, *, live: bool) -> None: ...

    def lost(self, problem: str) -> None: ...

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

    def draw(self, pixels: Array, item: Item, result: Result) -> None:
        self.drawn.append((item.info.seq, float(pixels[0])))

    @property
    def records(self) -> list[dict[str, Any]]:
        return [record for _, records in self.packets for record in records]
