"""Makes engines: a model from its bundle, on the pipeline's backend, with decoder and input buffers."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agent import plugins
from agent.accelerator.no_twin import NoTwin
from agent.accelerator.twin import AcceleratedBackend
from agent.bundles.load import LoadedModel, load, read_labels
from agent.config.preparing import pre_of
from agent.errors import ConfigInvalid
from agent.picks import picked
from agent.pipeline.engine import Engine
from agent.pipeline.filling import Filling
from agent.pipeline.generating import Generator
from agent.pipeline.slot import BUFFERS
from agent.tflite import metadata, outline
from agent.types import Phase, Signature
from agent.validation import options
from agent.workers.program.decoding import answering, decoder_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.types import Backend
    from agent.workers.spec import LaneSpec


def make(
    spec: LaneSpec,
    pause: Callable[[], object] = lambda: None,
    beat: Callable[[Phase], None] = lambda _: None,
) -> Engine:
    """Load the model that ``spec`` names, and run it once on the CPU.

    Args:
        spec: of the pipeline.
        pause: is called before the runtime loads the model, which may keep all threads waiting meanwhile.
        beat: notes the phase of the infer thread, which may find an accelerator to be waited for.

    Raises:
        ConfigInvalid: an option of a plugin is wrong, or no decoder is named.
        ModelInvalid: the model does not load or does not fit its task.
        ManifestInvalid: its bundle is wrong, or is not the one that was vouched for.
        BackendFault: it loads, and does not run.
    """
    model = model_of(spec)
    pause()
    made = engine(spec, model, backend_of(spec, model), partial(beat, Phase.INVOKE))
    if not may_accelerate(spec) or isinstance(made.backend, Generator):
        return made
    backend = AcceleratedBackend(made.backend, beat)
    return replace(made, backend=backend, tending=backend)


def may_accelerate(spec: LaneSpec) -> bool:
    """Whether the pipeline takes an accelerator that is lent to it."""
    module = plugins.load("backends", spec.backend, "backend", "kind")
    given = options(module.Options, spec.backend_options, "backend")
    return getattr(given, "delegate", "cpu") not in {"cpu", "xnnpack"}


def engine(
    spec: LaneSpec, model: LoadedModel, backend: Backend, beat: Callable[[], object] = lambda: None
) -> Engine:
    """Put an engine together, and run it once: the first inference is slow, as kernels are packed.

    ``beat`` is called before each run of a model that is run several times for one frame.
    """
    task = task_of(spec, model)
    decoder = decoder_of(task, labelled(spec, model), backend, spec.decoder)
    prepare = Filling(Signature(backend.inputs, backend.outputs), model.pre, model.name)
    buffers = [prepare.buffers() for _ in range(BUFFERS)]
    if not isinstance(backend, NoTwin):
        backend.infer(buffers[0])
    tuned = picked(spec.tuned, model.sha256, backend.runtime) is not None
    facts = {**facts_of(model, backend, task), "tuned": tuned}
    answers = answering(backend, task, model, spec.decoder, beat)
    return Engine(answers, decoder, prepare, buffers, facts, state=prepare.state())


def facts_of(model: LoadedModel, backend: Backend, task: str) -> dict[str, Any]:
    """Say which model runs on what, as messages tell it."""
    return {
        "model": f"{model.name}@{model.version}"[:200],
        "sha256": model.sha256,
        "bundle": model.bundle,
        "task": task,
        "runtime": backend.runtime,
        "delegate": backend.delegate,
        "delegated": backend.delegated,
    }


def model_of(spec: LaneSpec) -> LoadedModel:
    """Load the model's bytes, each file with its hash checked.

    Of a model without a manifest the pipeline may say how its input is prepared. A bundle's golden answers
    were recorded with what its manifest says, which stands.
    """
    model = load(spec.model, spec.digest, spec.eased.variant)
    if not spec.pre or model.manifest is not None:
        return model
    return replace(model, pre=metadata.filled(pre_of(spec.pre), model.data, model.said))


def labelled(spec: LaneSpec, model: LoadedModel) -> LoadedModel:
    """Give the model the labels that the pipeline has for it, if there are any."""
    return replace(model, labels=read_labels(Path(spec.labels))) if spec.labels else model


def backend_of(spec: LaneSpec, model: LoadedModel) -> Backend:
    """Load the model into the pipeline's backend, as the tuner has chosen for it, if it has.

    A model that was compiled for the accelerator of this board is read only.
    """
    module = plugins.load("backends", spec.backend, "backend", "kind")
    given = options(module.Options, spec.backend_options, "backend")
    if spec.accelerated and hasattr(module, "signature") and outline.is_for_edge_tpu(model.data):
        return NoTwin(module.signature(given, model.data, model.name), module.runtime(given))
    if spec.tuned and (pick := picked(spec.tuned, model.sha256, module.runtime(given))):
        given = given.model_copy(update={"threads": pick.threads, "xnnpack": pick.xnnpack})
    backend: Backend = module.build(given, model.data, model.name)
    return backend


def task_of(spec: LaneSpec, model: LoadedModel) -> str:
    """Give the decoder's name: the pipeline's word counts before the model's."""
    if task := spec.task or model.task:
        return task
    known = ", ".join(plugins.names("decoders"))
    raise ConfigInvalid(
        "choose decoder", model.name, "the model does not say its task", f"Set task to one of: {known}",
        loc=("task",),
    )  # fmt: skip
