"""Makes decoders of a model's outputs, with the options and files that they need."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from agent import plugins
from agent.bundles import extras
from agent.manifest import Outputs
from agent.pipeline import roles
from agent.pipeline.filling import carried, frame_input
from agent.pipeline.generating import Generator
from agent.pipeline.placed import PlacedDecoder
from agent.pipeline.preprocess import takes_pictures
from agent.pipeline.steady import SteadyDecoder
from agent.tflite import metadata
from agent.types import Signature
from agent.validation import options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.bundles.load import LoadedModel
    from agent.types import Backend, Decoder

_NONE: Mapping[str, Any] = MappingProxyType({})


class _Roles(BaseModel):
    model_config = ConfigDict(frozen=True)

    outputs: Outputs


def answering(
    backend: Backend,
    task: str,
    model: LoadedModel,
    own: Mapping[str, Any] = _NONE,
    beat: Callable[[], object] = lambda: None,
) -> Backend:
    """Give what answers a frame: the model; where the decoder's module says so, what runs it once a token.

    The arguments are those of ``decoder_of``; ``beat`` is called before each run for a token.
    """
    module = plugins.load("decoders", task, "task")
    if not hasattr(module, "generation"):
        return backend
    given, _ = _given(task, model, own)
    return Generator(backend, module.generation(options(module.Options, given, "decoder")), beat)


def decoder_of(task: str, model: LoadedModel, backend: Backend, own: Mapping[str, Any] = _NONE) -> Decoder:
    """Make a decoder for the model's outputs, whose results lie in the frame.

    Args:
        task: the decoder's name.
        model: its options count where they are for this decoder; its labels, and what is said of its inputs.
        backend: with the tensors of the model.
        own: the pipeline's options, which go over the model's.

    Raises:
        ConfigInvalid: an option is wrong.
        ModelInvalid: the outputs, the labels or a file are not such a decoder's.
        ManifestInvalid: a file of the bundle is not the one that its manifest describes.
    """
    module = plugins.load("decoders", task, "task")
    given, outputs = _given(task, model, own)
    named = metadata.named(backend.outputs, model.said)
    order = roles.order(
        named,
        task=task,
        roles=getattr(module, "ROLES", ()),
        told=options(_Roles, {"outputs": outputs}, "decoder").outputs,
        hidden=carried(Signature(backend.inputs, backend.outputs), model.pre),
    )
    seen = Signature(backend.inputs, roles.chosen(named, order))
    if model.said.min_score is not None and "min_score" in module.Options.model_fields:
        given.setdefault("min_score", model.said.min_score)
    more = (extras.read(model, extras.named(module, given), own),) if hasattr(module, "FILES") else ()
    decoder: Decoder = module.build(options(module.Options, given, "decoder"), seen, model.labels, *more)
    if list(order) != list(range(len(backend.outputs))):
        decoder = roles.OrderedDecoder(decoder, list(order))
    if not (getattr(module, "ANY_SHAPE", False) or hasattr(module, "generation")):
        decoder = SteadyDecoder(decoder, backend.outputs)
    frame = frame_input(backend.inputs, model.pre, model.name)
    if model.pre.of_windows or not takes_pictures(frame):
        return decoder
    return PlacedDecoder(decoder, (frame.shape[1], frame.shape[2]), model.pre.resize)


def _given(task: str, model: LoadedModel, own: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    """Give the decoder's options, and apart from them which output has which role.

    The manifest's options are for the manifest's decoder only.
    """
    given = {**(model.post if task == model.task else {}), **own}
    return given, given.pop("outputs", {})
