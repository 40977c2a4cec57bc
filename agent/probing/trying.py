"""The tried process's own side: open an accelerator, load a model on it, run it, compare its answers."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from agent.backends import tflite
from agent.backends._quiet import ABSOLUTE
from agent.bundles import golden, load
from agent.histogram import percentile
from agent.probing.passport import Tried
from agent.sources.pictures.picture import parse_picture
from agent.workers.program import engines
from agent.workers.program.decoding import decoder_of
from agent.workers.program.measuring import Tryout
from agent.workers.spec import LaneSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.boards.delegation import Delegate
    from agent.bundles.load import LoadedModel
    from agent.probing.passport import Stage
    from agent.probing.trial import TrialSpec
    from agent.types import Backend

_NEXT = 5
XNNPACK = "xnnpack"


def try_out(spec: TrialSpec, delegate: Delegate, at: Callable[[Stage], None]) -> Tried:
    """Open the accelerator, and run the first of the models that it can run, if there is one.

    Args:
        spec: what to try.
        delegate: the accelerator, not open yet.
        at: is told of each stage that begins.

    Raises:
        AgentError: what the runtime, the delegate or the model says.
    """
    cv2.setNumThreads(1)
    kind = spec.accelerator.kind
    given = tflite.Options(runtime=spec.runtime, xnnpack=kind == XNNPACK)
    tflite.preload(given)
    at("open")
    opened = delegate.open(tflite.loader(given))
    tried = Tried(
        description=delegate.describe(),
        runtime=tflite.runtime(given),
        floats=_floats(given) if kind == XNNPACK else None,
    )
    model = _model(spec.models, delegate.variant)
    if model is None:
        return tried
    at("load")
    began = time.monotonic()
    backend = tflite.build(given, model.data, model.name, opened, spec.accelerator.title)
    loaded = time.monotonic() - began
    at("run")
    try:
        return _run(tried, model, backend, loaded)
    finally:
        backend.close()


def _run(tried: Tried, model: LoadedModel, backend: Backend, loaded: float) -> Tried:
    zeros = [np.zeros(one.shape, one.dtype) for one in backend.inputs]
    times = []
    for _ in range(1 + _NEXT):
        began = time.monotonic()
        backend.infer(zeros)
        times.append(time.monotonic() - began)
    met, count, difference = _goldens(model, backend)
    return tried.model_copy(
        update={
            "model": f"{model.name}@{model.version}",
            "delegated": backend.delegated,
            "load_ms": _ms(loaded),
            "first_ms": _ms(times[0]),
            "next_ms": _ms(percentile(times[1:], 0.5)),
            "goldens": (met, count) if count else None,
            "difference": difference,
        }
    )


def _goldens(model: LoadedModel, backend: Backend) -> tuple[int, int, str]:
    """Compare the model's answers with the golden ones: how many agree, of how many, and what differs."""
    if model.manifest is None or model.folder is None or not model.task:
        return 0, 0, ""
    spec = LaneSpec(pipeline="probe", model=str(model.path), source="")
    decoder = decoder_of(model.task, model, backend)
    tryout = Tryout(engines.engine(spec, model, backend), decoder)
    met = count = 0
    first = ""
    for case in golden.cases(model.folder, model.manifest):
        items = tryout.items(parse_picture(str(case.path), case.data), count, str(case.path))
        difference = case.differs(items)
        met += not difference
        count += 1
        if difference and not first:
            first = f"{case.path.name}: {difference}"
    return met, count, first


def _model(candidates: tuple[str, ...], variant: str) -> LoadedModel | None:
    """Give the first model that the accelerator can run: a bundle with its variant, or a bare file."""
    for one in candidates:
        model = load.load(one)
        if model.manifest is None or not variant:
            return model
        if variant in model.manifest.variants:
            return replace(model, data=load.variant(model, variant), name=f"{model.name}/{variant}")
    return None


def _floats(given: tflite.Options) -> tuple[int, int]:
    """How many operators XNNPACK takes of a model of one operator on real numbers, and how many there are.

    It takes that one wherever it works; where it does not it has switched itself off, and says nothing.
    """
    backend = tflite.build(given, ABSOLUTE, "absolute")
    try:
        return backend.delegated
    finally:
        backend.close()


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)
