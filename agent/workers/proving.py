"""A worker in proving mode: does a model keep what its manifest promises, on this machine, before it serves?

It is loaded on the pipeline's backend, must fit the pipeline, must meet its golden answers before and after
the runs that are timed, and must stay within its budget of time and memory.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from agent import plugins
from agent.bundles import golden
from agent.errors import BackendFault, BundleRefused, Rejected
from agent.sources._picture import parse_picture
from agent.types import Frame, FrameInfo, Phase
from agent.workers import contract, engines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agent.bundles.load import LoadedModel
    from agent.manifest import Manifest
    from agent.pipeline.engine import Engine
    from agent.types import Array, Backend, Decoder
    from agent.workers.engines import Validated
    from agent.workers.spec import LaneSpec

_RUNS, _LEAST_S, _MOST_S, _MOST_RUNS = 50, 0.3, 5.0, 5000
"""Timed are so many runs at least and for so long; a slow model is stopped after ``_MOST_S``."""
_WARM = 3


def prove(spec: LaneSpec, validated: Validated, beat: Callable[[Phase], None]) -> dict[str, Any]:
    """Prove the model that ``spec`` names; give the fields of a ``proved`` message.

    Raises:
        BundleRefused: it does not load, does not fit the pipeline, answers otherwise or costs too much.
        ConfigInvalid: an option of the pipeline is wrong.
        ExtraMissing: the runtime is not installed.
    """
    cv2.setNumThreads(1)
    _preload(spec, validated)
    before = _memory()
    with _refusing("load", spec.model):
        model = engines.model_of(spec)
        backend = engines.backend_of(spec, model, validated)
    with _refusing("contract", spec.model):
        contract.check(spec, model, backend)
        engine = engines.engine(spec, model, backend, validated)
        decoder = _own_decoder(model, backend, validated) if model.manifest else engine.decoder
    judge = _Judge(model, engine, decoder, beat)
    met = judge.answers()
    times = judge.timed()
    judge.answers()  # a runtime that is right once may be wrong later
    cost = {
        "p50_ms": round(_percentile(times, 0.50), 3),
        "p95_ms": round(_percentile(times, 0.95), 3),
        "rss_mb": round(_added(before, _memory()) / (1 << 20), 1),
    }
    if model.manifest:
        _within(spec.model, model.manifest, cost)
    return {**engine.facts, "goldens": met, "runs": len(times), **cost}


class _Judge:
    """Runs a model on its golden inputs, as the pipeline's two threads would."""

    def __init__(
        self, model: LoadedModel, engine: Engine, decoder: Decoder, beat: Callable[[Phase], None]
    ) -> None:
        self._subject = engine.facts["model"]
        self._model = model
        self._engine = engine
        self._decoder = decoder
        self._beat = beat
        self._tensors: list[Array] = []

    def answers(self) -> int:
        """Compare what the model makes of its golden inputs with what it must; give how many there are."""
        count = 0
        if self._model.manifest is None or self._model.folder is None:
            return count
        with _refusing("golden", self._subject):
            for case in golden.cases(self._model.folder, self._model.manifest):
                if difference := self._differs(case, count):
                    raise BundleRefused(
                        "prove", f"{self._subject} on {case.path.name}", difference,
                        "This machine computes something else: try another runtime or delegate",
                        rule="golden",
                    )  # fmt: skip
                count += 1
        return count

    def _differs(self, case: golden.Case, number: int) -> str:
        self._beat(Phase.PREPROCESS)
        data = parse_picture(str(case.path), case.data)
        frame = Frame(number, time.monotonic_ns(), data, str(case.path))
        height, width = (*data.shape, 1, 1)[:2]
        info = FrameInfo(frame.seq, frame.captured_ns, height, width, frame.origin)
        tensor = self._engine.buffers[0]
        self._engine.prepare(frame, tensor)
        if len(self._tensors) < _WARM:
            self._tensors.append(tensor.copy())
        self._beat(Phase.INVOKE)
        outputs = self._engine.backend.infer((tensor,))
        self._beat(Phase.DECODE)
        return case.differs(self._decoder.decode(outputs, info, (tensor,)).items)

    def timed(self) -> list[float]:
        """Give how long each of many inferences took, milliseconds, sorted."""
        tensors = self._tensors or [np.zeros_like(self._engine.buffers[0])]
        times: list[float] = []
        with _refusing("load", self._subject):
            for _ in range(_WARM):
                self._infer(tensors[0])
            began = time.monotonic()
            while not _enough(len(times), time.monotonic() - began):
                times.append(self._infer(tensors[len(times) % len(tensors)]))
        return sorted(times)

    def _infer(self, tensor: Array) -> float:
        self._beat(Phase.INVOKE)
        began = time.monotonic_ns()
        self._engine.backend.infer((tensor,))
        return (time.monotonic_ns() - began) / 1e6


def _enough(runs: int, seconds: float) -> bool:
    return (runs >= _RUNS and seconds >= _LEAST_S) or (runs > 0 and seconds >= _MOST_S) or runs >= _MOST_RUNS


def _percentile(ordered: Sequence[float], share: float) -> float:
    """Give the smallest value that ``share`` of all do not exceed."""
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)]


def _within(subject: str, manifest: Manifest, cost: dict[str, float]) -> None:
    budget = manifest.budget
    for key, most, unit in (("p95_ms", budget.p95_ms, "ms"), ("rss_mb", budget.rss_mb, "MB")):
        if most is not None and cost[key] > most:
            what = "the 95th percentile of an inference" if unit == "ms" else "the memory that it takes"
            problem = f"{what} is {cost[key]:g} {unit}, its budget is {most:g} {unit}"
            hint = "Use a smaller model or a faster delegate here, or raise the budget in its manifest"
            raise BundleRefused("prove", subject, problem, hint, rule="budget")


def _own_decoder(model: LoadedModel, backend: Backend, validated: Validated) -> Decoder:
    """Make the decoder that the golden answers were recorded with: the manifest's, not the pipeline's."""
    return engines.decoder_of(model.task or "", model.post, model, backend, validated)


def _preload(spec: LaneSpec, validated: Validated) -> None:
    """Load what any model needs, so that what is measured later is the model's own."""
    module = plugins.load("backends", spec.backend, "backend", "kind")
    if hasattr(module, "preload"):
        module.preload(validated(module.Options, spec.backend_options, "backend"))


@contextmanager
def _refusing(rule: str, subject: str) -> Iterator[None]:
    """Refuse the bundle by ``rule`` for what is wrong with it in here."""
    try:
        yield
    except BundleRefused:
        raise
    except (Rejected, BackendFault) as error:
        problem = f"{error.op} {error.subject}: {error.problem}"
        raise BundleRefused("prove", subject, problem, error.hint, rule=rule) from error


def _memory() -> dict[str, int]:
    """This process's memory now and at its peak, bytes."""
    lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    found = dict(line.split(":", 1) for line in lines if line.startswith(("VmRSS:", "VmHWM:")))
    return {key: int(value.split()[0]) << 10 for key, value in found.items()}


def _added(before: dict[str, int], after: dict[str, int]) -> int:
    """Bytes that were added at the most. A peak from before says nothing of what came after."""
    peak = after["VmHWM"] if after["VmHWM"] > before["VmHWM"] else after["VmRSS"]
    return max(0, peak - before["VmRSS"])
