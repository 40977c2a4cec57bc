"""The program that tries a model for ``edgectl pack``: its tensors, its golden answers, what it costs.

``python -m agent.fleet.packing.trial SOCKET_FD SPEC_FD PARENT_PID``. It confines itself before it loads the
model, as a worker does: the operator's keys are near.
"""

from __future__ import annotations

import os
import time
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import golden
from agent.bundles.load import LoadedModel, load, read_labels
from agent.errors import InputRejected
from agent.fleet.packing import side, words
from agent.manifest import Tensor
from agent.types import Needs
from agent.workers.confinement import confine
from agent.workers.spec import LaneSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pydantic import BaseModel

    from agent.fleet.packing.line import Inputs, Line
    from agent.types import Array, TensorSpec

_WARM = 3
_SECONDS = 10.0
"""Timing ends after so long, however few runs that were."""
_MIB = 1 << 20


def main() -> None:
    """Run as a program."""
    side.serve(words.TrialAsk, confined)


def confined(ask: words.TrialAsk, say: Callable[[BaseModel], None]) -> None:
    """Give up what is not needed, as a worker does, and try the model."""
    reads = tuple(one.path for one in ask.goldens)
    confine(LaneSpec(pipeline="pack", model=ask.model, labels=ask.labels, source="images"), [Needs(reads)])
    tried(ask, say)


def tried(ask: words.TrialAsk, say: Callable[[BaseModel], None]) -> None:
    """Load the model, say what it is, answer the golden inputs, measure.

    Raises:
        ModelInvalid: it does not load, or does not fit its task.
        ManifestInvalid: ``pre`` does not fit the input.
        InputRejected: a golden input cannot be read, or its answer is not the same every time.
    """
    from agent.backends._runtimes import choose
    from agent.fleet.packing.line import Inputs, Line
    from agent.sources._picture import read_picture

    choose()  # the runtime's own memory is not the model's
    model = load(ask.model)
    labels = read_labels(Path(ask.labels)) if ask.labels else model.labels
    before = _resident()
    usual = Inputs(model, ask.pre)
    say(_contract(model, usual))
    line = Line(usual, ask.task, ask.post, labels)
    inputs = [read_picture(one.path) for one in ask.goldens]
    plain = Line(Inputs(model, ask.pre, xnnpack=False), ask.task, ask.post, labels)
    of = len(inputs) + bool(ask.runs)
    if ask.runs:
        say(_measured(usual, inputs, ask.runs, before))
        say(words.Step(done=1, of=of))
    for number, (one, data) in enumerate(zip(ask.goldens, inputs, strict=True)):
        say(words.Answer(number=number, items=answer(one, data, line, plain)))
        say(words.Step(done=number + 1 + bool(ask.runs), of=of))


def _contract(model: LoadedModel, inputs: Inputs) -> words.Contract:
    backend = inputs.backend
    return words.Contract(
        sha256=model.sha256,
        inputs=tuple(_tensor(one) for one in backend.inputs),
        outputs=tuple(_tensor(one) for one in backend.outputs),
        quantized=bool(getattr(backend, "quantized", False)),
        runtime=backend.runtime,
        delegate=backend.delegate,
        delegated=backend.delegated,
    )


def _tensor(spec: TensorSpec) -> Tensor:
    return Tensor(
        name=spec.name[:200],
        dtype=spec.dtype,
        shape=spec.shape,
        scale=spec.scale,
        zero_point=spec.zero_point,
        axis=spec.axis,
    )


def answer(one: words.GoldenInput, data: Array, line: Line, plain: Line) -> list[dict[str, Any]]:
    """Answer a golden input: it must be the same again, and on the runtime's other kernels.

    Raises:
        InputRejected: it is not.
    """
    items = line.items(data)
    for other in (line, plain):
        if problem := golden.differs(other.items(data), items, one.tol):
            problem = f"its answer on {other.inputs.kernels} is another one: {problem}"
            hint = "Choose a clearer input, or raise its tol: other boards round differently, too"
            raise InputRejected("record golden answer", one.path, problem, hint)
    return items


def _measured(inputs: Inputs, data: Sequence[Array], runs: int, before: float) -> words.Cost:
    """Time inferences, after some to warm up.

    Args:
        inputs: the loaded model.
        data: what to run it on, in turn; none runs zeros.
        runs: how many, unless they take too long.
        before: resident memory before the model was loaded, 2^20 bytes.
    """
    backend = inputs.backend
    tensors = [inputs.tensor(one).copy() for one in data] or [inputs.blank()]
    for tensor in islice(cycle(tensors), _WARM):
        backend.infer([tensor])
    took: list[int] = []
    give_up = time.monotonic() + _SECONDS
    for tensor in islice(cycle(tensors), runs):
        began = time.perf_counter_ns()
        backend.infer([tensor])
        took.append(time.perf_counter_ns() - began)
        if time.monotonic() > give_up:
            break
    took.sort()
    held = sum(one.nbytes for one in tensors) / _MIB
    return words.Cost(
        runs=len(took),
        p50_ms=took[len(took) // 2] / 1e6,
        p95_ms=took[min(len(took) - 1, int(len(took) * 0.95))] / 1e6,
        rss_mb=max(0.1, _resident() - before - held),
    )


def _resident() -> float:
    """Memory of this process that is there, 2^20 bytes (proc(5), statm)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / _MIB


if __name__ == "__main__":
    main()
