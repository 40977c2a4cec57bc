"""A model run by itself, without a pipeline: its answers, how long it takes, and the memory that it adds.

A worker proves a model so before it serves, and the operator's tools measure so what its budget is made of.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from agent import plugins
from agent.histogram import percentile
from agent.types import Frame, FrameInfo, Phase
from agent.validation import options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agent.pipeline.engine import Engine
    from agent.types import Array, Decoder, JsonValue
    from agent.workers.spec import LaneSpec

_RUNS, _LEAST_S, _MOST_S, _MOST_RUNS = 50, 0.3, 5.0, 5000
"""Timed are so many runs at least and for so long; a slow model is stopped after ``_MOST_S``."""
_WARM = 3


@dataclass(frozen=True, slots=True)
class Cost:
    """What a model takes.

    Attributes:
        runs: how many inferences were timed.
        p50_ms: half of them took no longer, milliseconds.
        p95_ms: 95 % of them took no longer, milliseconds.
        rss_mb: memory that this process has gained by it, 2^20 bytes.
    """

    runs: int
    p50_ms: float
    p95_ms: float
    rss_mb: float


@dataclass(frozen=True, slots=True)
class Memory:
    """This process's memory, bytes: in RAM now, and at its peak (proc(5), VmRSS and VmHWM)."""

    now: int
    peak: int

    @classmethod
    def look(cls) -> Memory:
        """Look at it."""
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
        found = dict(line.split(":", 1) for line in lines if line.startswith(("VmRSS:", "VmHWM:")))
        now, peak = (int(found[key].split()[0]) << 10 for key in ("VmRSS", "VmHWM"))
        return cls(now, peak)

    def added_since(self, before: Memory) -> int:
        """Bytes that were added at the most. A peak from before says nothing of what came after."""
        return max(0, (self.peak if self.peak > before.peak else self.now) - before.now)


class Tryout:
    """Runs an engine on this thread alone, with tensors of its own buffers.

    Args:
        engine: the model.
        decoder: what the outputs mean; None for the engine's own.
        beat: is told of the phase that begins.
    """

    def __init__(
        self,
        engine: Engine,
        decoder: Decoder | None = None,
        beat: Callable[[Phase], None] = lambda _: None,
    ) -> None:
        self.engine = engine
        self._decoder = decoder or engine.decoder
        self._beat = beat
        self._seen: list[Sequence[Array]] = []

    def tensors(self, data: Array, number: int = 0, origin: str = "") -> Sequence[Array]:
        """Give the input tensors for what a source gives; the next call writes over them.

        A model that carries state is at its beginning.

        Args:
            data: a picture, a window or an array, as sources give them.
            number: the frame's.
            origin: where it comes from, for errors.

        Raises:
            InputRejected: it does not fit the model.
        """
        self._beat(Phase.PREPROCESS)
        tensors = self.engine.buffers[0]
        self.engine.prepare(Frame(number, time.monotonic_ns(), data, origin), tensors)
        if len(self._seen) < _WARM:
            self._seen.append(tuple(one.copy() for one in tensors))
        return tensors

    def items(self, data: Array, number: int = 0, origin: str = "") -> Sequence[Mapping[str, JsonValue]]:
        """Give the items of the result for what a source gives; see ``tensors``.

        Raises:
            InputRejected: it does not fit the model, or nothing of the outputs can be decoded.
            BackendFault: the runtime failed.
        """
        tensors = self.tensors(data, number, origin)
        self._beat(Phase.INVOKE)
        outputs = self.engine.backend.infer(tensors)
        self._beat(Phase.DECODE)
        height, width = (*data.shape, 1, 1)[:2]
        info = FrameInfo(number, time.monotonic_ns(), height, width, origin)
        return self._decoder.decode(outputs, info, tensors).items

    def cost(self, before: Memory) -> Cost:
        """Time inferences, after some to warm up; on the first inputs that were seen, else on zeros.

        Args:
            before: the memory before the model was loaded.

        Raises:
            BackendFault: the runtime failed.
        """
        seen = self._seen or [[np.zeros_like(one) for one in self.engine.buffers[0]]]
        for _ in range(_WARM):
            self._infer(seen[0])
        times: list[float] = []
        began = time.monotonic()
        while not _enough(len(times), time.monotonic() - began):
            times.append(self._infer(seen[len(times) % len(seen)]))
        return Cost(
            runs=len(times),
            p50_ms=round(percentile(times, 0.50), 3),
            p95_ms=round(percentile(times, 0.95), 3),
            rss_mb=round(Memory.look().added_since(before) / (1 << 20), 1),
        )

    def _infer(self, tensors: Sequence[Array]) -> float:
        self._beat(Phase.INVOKE)
        began = time.monotonic_ns()
        self.engine.backend.infer(tensors)
        return (time.monotonic_ns() - began) / 1e6


def preload(spec: LaneSpec) -> None:
    """Load what any model needs, so that what is measured later is the model's own.

    Raises:
        ConfigInvalid: an option of the backend is wrong.
        ExtraMissing: the runtime is not installed.
    """
    module = plugins.load("backends", spec.backend, "backend", "kind")
    if hasattr(module, "preload"):
        module.preload(options(module.Options, spec.backend_options, "backend"))


def _enough(runs: int, seconds: float) -> bool:
    return (runs >= _RUNS and seconds >= _LEAST_S) or (runs > 0 and seconds >= _MOST_S) or runs >= _MOST_RUNS
