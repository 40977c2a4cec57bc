"""The infer thread of a worker: take a frame, invoke, decode, send the result; settle each exactly once."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

from agent.errors import BackendFault, DelegateLost, InputRejected
from agent.pipeline.records import MAX_BYTES, record, shortened
from agent.pipeline.steps import Held
from agent.pipeline.timings import Timings
from agent.types import Phase, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agent.errors import AgentError
    from agent.histogram import Histogram
    from agent.ledger import Ledger
    from agent.pipeline.capture import Capture
    from agent.pipeline.engine import Engine
    from agent.pipeline.slot import Item, Slot
    from agent.pipeline.steps import Step
    from agent.types import Array

_FLUSH_S = 0.02
"""Results of a fast pipeline ride together for so long; those of a slow one leave at once."""
_IDLE_S = 1.0
_TELL_S = 1.0
"""How long each stage took is told at most so often."""
_PACKET_BYTES = 40 << 10


class Outlet(Protocol):
    """Where results leave the worker."""

    def results(self, ledger: Ledger, records: Sequence[bytes]) -> None:
        """Send JSON records and the ledger as of the last of them."""

    def timings(self, stages: Mapping[str, Histogram]) -> None:
        """Send how long each stage took, of the frames since the last call."""

    def say(self, message: Mapping[str, Any]) -> None:
        """Send what has changed about the delegate that serves."""


class Drawing(Protocol):
    """Draws results on pictures."""

    def __call__(self, pixels: Array, item: Item, result: Result) -> None:
        """Write the annotated picture."""


class Runner:
    """What the infer thread runs.

    Args:
        capture: run in a thread of its own.
        slot: where frames come from, each with the engine that makes its result.
        outlet: where results go.
        beat: notes the phase that begins.
        turned: is called when the results change to another engine's: what went before is sent by then.
        steps: what each result passes, in this order.
        draw: draws each result, or None.
    """

    def __init__(
        self,
        *,
        capture: Capture,
        slot: Slot,
        outlet: Outlet,
        beat: Callable[[Phase], None],
        turned: Callable[[Engine], None],
        steps: Sequence[Step] = (),
        draw: Drawing | None = None,
    ) -> None:
        self._capture = capture
        self._slot = slot
        self._engine = slot.engine
        self._outlet = outlet
        self._beat = beat
        self._turned = turned
        self._steps = steps
        self._draw = draw
        self._records: list[bytes] = []
        self._bytes = 0
        self._flushed = 0.0
        self._timings = Timings()
        self._told = time.monotonic()
        self._sent: Ledger | None = None
        self._settled_ns = 0

    def run(self) -> str:
        """Run until the source is over and every frame is settled; give the capture thread's remark.

        Raises:
            BackendFault: the runtime failed; this process should not go on.
            AgentError: whatever ended the capture thread.
        """
        executor = ThreadPoolExecutor(1, "capture")
        future = executor.submit(self._capture.run)
        executor.shutdown(wait=False)  # a capture thread that hangs must not keep this one from leaving
        future.add_done_callback(lambda _: self._slot.end())
        while True:
            self._beat(Phase.WAIT)
            item = self._slot.take(self._wait_s())
            if item is not None:
                self._turn_to(item.engine)
                self._process(item)
                self._settled_ns = item.info.captured_ns
            else:
                over = self._slot.over
                self._turn_to(self._slot.next_engine)
                if over:
                    break
            if (tending := self._engine.tending) is not None:
                self._pass_on(tending.tend(idle=self._slot.idle, settled_ns=self._settled_ns))
            now = time.monotonic()
            if now - self._flushed >= (_FLUSH_S if self._records else _IDLE_S):
                self._flush(now)
            if now - self._told >= _TELL_S:
                self._tell(now)
        self._flush(time.monotonic())
        self._tell(time.monotonic())
        return future.result()

    def _turn_to(self, engine: Engine | None) -> None:
        """Where another engine's results begin: send those of the one before, then say so."""
        if engine is None or engine is self._engine:
            return
        if self._records:
            self._flush(time.monotonic())
        self._engine = engine
        if engine.state is not None:
            engine.state.reset()
        self._beat(Phase.SEND)
        self._turned(engine)

    def _pass_on(self, news: Sequence[Mapping[str, Any]]) -> None:
        """Say what has changed, after the records of what served until then."""
        if news and self._records:
            self._flush(time.monotonic())
        for one in news:
            self._beat(Phase.SEND)
            self._outlet.say(one)

    def _infer(self, item: Item, inputs: Sequence[Array]) -> Sequence[Array]:
        try:
            return item.engine.infer(inputs, item.opening)
        finally:
            if item.engine.tending is not None:
                self._pass_on(item.engine.tending.news())

    def _process(self, item: Item) -> None:
        if item.error is not None:
            self._fail(item, item.error, item.reason)
            return
        self._beat(Phase.INVOKE)
        engine = item.engine
        inputs = engine.buffers[item.index]
        began = time.monotonic_ns()
        try:
            outputs = self._infer(item, inputs)
        except DelegateLost as error:
            self._fail(item, error, "accelerator")
            return
        except BackendFault as error:
            self._tell_fault(item, error, "backend")
            raise
        except InputRejected as error:
            self._fail(item, error, "input")
            return
        inferred = time.monotonic_ns()
        infer_us = (inferred - began) // 1000
        self._beat(Phase.DECODE)
        try:
            result = engine.decoder.decode(outputs, item.info, inputs)
        except InputRejected as error:
            self._fail(item, error, "decode")
            return
        self._timings.frame(item, began, inferred, time.monotonic_ns())
        self._finish(item, result, infer_us)

    def _finish(self, item: Item, result: Result, infer_us: int) -> None:
        """Take a result through its steps, and on its way out."""
        for step in self._steps:
            try:
                passed = step(item, result)
            except InputRejected as error:
                self._fail(item, error, step.reason)
                return
            except BackendFault as error:
                self._tell_fault(item, error, step.reason)
                raise
            if isinstance(passed, Held):
                self._slot.settle(item, filtered=passed.by)
                return
            result = passed
        if self._draw is not None and item.pixels is not None:
            self._draw(item.pixels, item, result)
        made = record(item, result, infer_us)
        if len(made) > MAX_BYTES and result.events:
            made = shortened(item, result, infer_us)
        if len(made) > MAX_BYTES:
            size = f"{len(made)} bytes of JSON"
            self._fail(item, InputRejected("send result", size, "too large", "Raise min_score"), "too_large")
            return
        self._settle(item, made)

    def _tell_fault(self, item: Item, error: BackendFault, reason: str) -> None:
        """Say of which frame a runtime failed, before this process ends."""
        self._fail(item, error, reason)
        self._flush(time.monotonic())

    def _fail(self, item: Item, error: AgentError, reason: str) -> None:
        if self._slot.live:
            self._slot.settle(item, failed=reason)
            return
        # A recording's bad frame is an answer, too; a camera's is a count.
        why = {"reason": reason, "problem": str(error), "hint": error.hint}
        self._settle(item, record(item, Result("failed", (why,)), 0), reason)

    def _settle(self, item: Item, made: bytes, failed: str = "") -> None:
        """Count the frame and keep its record for the next packet: a ledger goes with all its records."""
        if self._bytes + len(made) > MAX_BYTES:
            self._flush(time.monotonic())
        self._slot.settle(item, failed)
        self._records.append(made)
        self._bytes += len(made)
        if self._bytes > _PACKET_BYTES:
            self._flush(time.monotonic())

    def _wait_s(self) -> float:
        """How long the next frame is waited for: no longer than what is to be sent may wait."""
        return max(0.0, self._flushed + _FLUSH_S - time.monotonic()) if self._records else _IDLE_S

    def _flush(self, now: float) -> None:
        self._flushed = now
        ledger = self._slot.ledger()
        if not self._records and ledger == self._sent:
            return
        self._beat(Phase.SEND)
        began = time.monotonic_ns()
        self._outlet.results(ledger, self._records)
        self._timings.sent(began, time.monotonic_ns())
        self._records = []
        self._bytes = 0
        self._sent = ledger

    def _tell(self, now: float) -> None:
        self._told = now
        if stages := self._timings.take():
            self._beat(Phase.SEND)
            self._outlet.timings(stages)
