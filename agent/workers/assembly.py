"""Put a worker's pipeline together: model, backend, decoder, buffers, source, threads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import cv2
import numpy as np

from agent import plugins
from agent.bundles.load import LoadedModel, load, read_labels
from agent.errors import ConfigInvalid, InputRejected, LaneCrashed, ModelInvalid, SourceLost
from agent.pipeline.capture import Capture
from agent.pipeline.preprocess import Preprocessor
from agent.pipeline.runner import Runner
from agent.pipeline.slot import BUFFERS, Slot
from agent.types import Signature

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from pydantic import BaseModel

    from agent.pipeline.capture import Reporter
    from agent.pipeline.runner import Drawing, Outlet
    from agent.types import Backend, Decoder, Phase, Source, TensorSpec
    from agent.workers.spec import LaneSpec


class Validated(Protocol):
    """Checks a plugin's options, or raises ConfigInvalid with the keys' path below ``where``."""

    def __call__(self, model: type[BaseModel], options: Mapping[str, object], *where: str) -> BaseModel:
        """Give the validated options."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A pipeline, ready to run."""

    runner: Runner
    slot: Slot
    backend: Backend
    facts: dict[str, Any]


def assemble(
    spec: LaneSpec,
    *,
    reporter: Reporter,
    outlet: Outlet,
    stop: threading.Event,
    validated: Validated,
    stranger: Callable[[], str],
    beats: tuple[Callable[[Phase], None], Callable[[Phase], None]],
) -> Pipeline:
    """Load the model, run it once, and wire the threads; the source is opened by the capture thread.

    ``stranger`` names a device that is there now and was not when this process confined itself, or gives "".

    Raises:
        ConfigInvalid: an option of a plugin is wrong, or no decoder is named.
        ModelInvalid: the model does not load or does not fit its task.
    """
    cv2.setNumThreads(1)  # a pipeline's parallelism is its threads; cv2's pool only adds switches
    model = _model(spec)
    backend = _backend(spec, model, validated)
    decoder, task = _decoder(spec, model, backend, validated)
    tensor = _only_input(backend, model)
    buffers = [np.zeros(tensor.shape, tensor.dtype) for _ in range(BUFFERS)]
    backend.infer((buffers[0],))  # the first one is slow: kernels are packed
    slot = Slot()
    capture = Capture(
        open_source=_opener(spec, validated, stranger),
        prepare=Preprocessor(tensor, model.pre),
        buffers=buffers,
        slot=slot,
        reporter=reporter,
        beat=beats[0],
        stop=stop,
        start=spec.start,
        once=spec.once,
        limit=spec.limit,
        keep_pixels=bool(spec.draw),
    )
    runner = Runner(
        capture=capture,
        slot=slot,
        backend=backend,
        decoder=decoder,
        buffers=buffers,
        outlet=outlet,
        beat=beats[1],
        draw=_drawing(spec),
    )
    return Pipeline(runner, slot, backend, _facts(model, backend, task))


def _facts(model: LoadedModel, backend: Backend, task: str) -> dict[str, Any]:
    return {
        "model": f"{model.name}@{model.version}"[:200],
        "sha256": model.sha256,
        "task": task,
        "runtime": backend.runtime,
        "delegate": backend.delegate,
        "delegated": backend.delegated,
    }


def _model(spec: LaneSpec) -> LoadedModel:
    model = load(spec.model)
    if spec.labels:
        model = replace(model, labels=read_labels(Path(spec.labels)))
    return model


def _backend(spec: LaneSpec, model: LoadedModel, validated: Validated) -> Backend:
    module = plugins.load("backends", spec.backend, "backend", "kind")
    options = validated(module.Options, spec.backend_options, "backend")
    backend: Backend = module.build(options, model.data, model.name)
    return backend


def _only_input(backend: Backend, model: LoadedModel) -> TensorSpec:
    if len(backend.inputs) != 1:
        problem = f"it has {len(backend.inputs)} inputs"
        raise ModelInvalid("use model", model.name, problem, "Export it with one input")
    return backend.inputs[0]


def _decoder(
    spec: LaneSpec, model: LoadedModel, backend: Backend, validated: Validated
) -> tuple[Decoder, str]:
    task = spec.task or model.task
    if not task:
        known = ", ".join(plugins.names("decoders"))
        raise ConfigInvalid(
            "choose decoder", model.name, "the model does not say its task", f"Set task to one of: {known}",
            loc=("task",),
        )  # fmt: skip
    module = plugins.load("decoders", task, "task")
    # The manifest's options are for the manifest's decoder only.
    options = {**(model.post if task == model.task else {}), **spec.decoder}
    decoder: Decoder = module.build(
        validated(module.Options, options, "decoder"),
        Signature(backend.inputs, backend.outputs),
        model.labels,
    )
    return decoder, task


def _opener(spec: LaneSpec, validated: Validated, stranger: Callable[[], str]) -> Callable[[int], Source]:
    module = plugins.load("sources", spec.source, "source", "kind")
    options = validated(module.Options, spec.source_options, "source")

    def open_source(start: int) -> Source:
        try:
            source: Source = module.build(options, start=start)
        except InputRejected as error:
            raise ConfigInvalid(error.op, error.subject, error.problem, error.hint) from error
        except SourceLost as error:
            if path := stranger():  # its node is another one by now, which this process may not open
                problem = "it was plugged in after this worker had confined itself"
                raise LaneCrashed(error.op, path, problem, "A new worker opens it") from error
            raise
        return source

    return open_source


def _drawing(spec: LaneSpec) -> Drawing | None:
    if not spec.draw:
        return None
    from agent.pipeline.draw import Draughtsman

    return Draughtsman(Path(spec.draw))
