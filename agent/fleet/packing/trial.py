"""The program that tries a model for ``edgectl pack``: its tensors, its golden answers, what it costs.

``python -m agent.fleet.packing.trial SOCKET_FD SPEC_FD PARENT_PID``. It confines itself before it loads the
model, as a worker does: the operator's keys are near. It runs and measures as a worker in proving mode, which
will hold the model to what is recorded here.
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from agent import golden
from agent.errors import ConfigInvalid, InputRejected
from agent.fleet.packing import side, words
from agent.manifest import Tensor
from agent.types import Needs
from agent.workers.confining import confine
from agent.workers.spec import LaneSpec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pydantic import BaseModel

    from agent.pipeline.engine import Engine
    from agent.types import Array, TensorSpec
    from agent.workers.program.measuring import Cost, Memory, Tryout

_HINT = "See docs/configuration.md for the decoder's options"


def main() -> None:
    """Run as a program."""
    side.serve(words.TrialAsk, confined)


def confined(ask: words.TrialAsk, say: Callable[[BaseModel], None]) -> None:
    """Give up what is not needed, as a worker does, and try the model."""
    confine(_spec(ask), [Needs(tuple(one.path for one in ask.goldens))])
    tried(ask, say)


def tried(ask: words.TrialAsk, say: Callable[[BaseModel], None]) -> None:
    """Load the model, say what it is, measure, answer the golden inputs.

    Raises:
        ModelInvalid: it does not load, or does not fit its task.
        ManifestInvalid: ``pre`` does not fit the input.
        ConfigInvalid: there is no such decoder, or an option of it is wrong.
        InputRejected: a golden input cannot be read, or its answer is not the same every time.
    """
    from agent.sources.pictures.picture import read_picture
    from agent.workers.program.measuring import Memory, Tryout, preload

    preload(_spec(ask))
    before = Memory.look()
    usual = Tryout(_engine(ask))
    say(_contract(usual.engine))
    inputs = [read_picture(one.path) for one in ask.goldens]
    of = len(inputs) + ask.measure
    if ask.measure:
        say(words.Cost(**asdict(_measured(usual, inputs, before))))
        say(words.Step(done=1, of=of))
    plain = Tryout(_engine(ask, xnnpack=False))
    for number, (one, data) in enumerate(zip(ask.goldens, inputs, strict=True)):
        say(words.Answer(number=number, items=answer(one, data, usual, plain)))
        say(words.Step(done=number + 1 + ask.measure, of=of))


def answer(one: words.GoldenInput, data: Array, usual: Tryout, plain: Tryout) -> list[dict[str, Any]]:
    """Answer a golden input: it must be the same again, and on the runtime's other kernels.

    Raises:
        InputRejected: it is not.
    """
    items = [dict(item) for item in usual.items(data)]
    for other in (usual, plain):
        if problem := golden.differs(other.items(data), items, one.tol):
            problem = f"its answer on {other.engine.backend.delegate} is another one: {problem}"
            hint = "Choose a clearer input, or raise its tol: other boards round differently, too"
            raise InputRejected("record golden answer", one.path, problem, hint)
    return items


def _spec(ask: words.TrialAsk, **backend: Any) -> LaneSpec:
    return LaneSpec(
        pipeline="pack",
        model=ask.model,
        labels=ask.labels,
        source="images",
        task=ask.task,
        decoder=ask.post,
        backend_options=backend,
    )


def _engine(ask: words.TrialAsk, **backend: Any) -> Engine:
    from agent.workers.program import engines

    spec = _spec(ask, **backend)
    model = replace(engines.model_of(spec), pre=ask.pre)
    try:
        return engines.engine(spec, model, engines.backend_of(spec, model))
    except ConfigInvalid as error:
        if error.loc[:1] != ("decoder",):
            raise
        loc = ("post", *error.loc[1:])  # what a manifest calls it
        key = ".".join(map(str, loc))
        raise ConfigInvalid(error.op, key, error.problem, _HINT, loc=loc) from error


def _contract(engine: Engine) -> words.Contract:
    backend = engine.backend
    return words.Contract(
        sha256=engine.facts["sha256"],
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


def _measured(usual: Tryout, inputs: Sequence[Array], before: Memory) -> Cost:
    for data in inputs:
        usual.items(data)  # the first of them are timed
    return usual.cost(before)


if __name__ == "__main__":
    main()
