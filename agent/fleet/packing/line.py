"""A model with its preprocessing and its decoder, as a worker joins them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from agent import plugins
from agent.errors import ConfigInvalid, ModelInvalid
from agent.pipeline.preprocess import Preprocessor
from agent.types import Frame, FrameInfo, Signature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.bundles.load import LoadedModel
    from agent.labels import Labels
    from agent.manifest import Pre
    from agent.types import Array, Backend, Decoder, TensorSpec


class Inputs:
    """A loaded model, and the way of a frame into its only input.

    Args:
        model: what to load.
        pre: how pictures become the input.
        xnnpack: whether to use these kernels, or the runtime's plain ones.

    Raises:
        ModelInvalid: it does not load, or has not one input.
        ManifestInvalid: ``pre`` does not fit the input.
    """

    def __init__(self, model: LoadedModel, pre: Pre, *, xnnpack: bool = True) -> None:
        module = plugins.load("backends", "tflite")
        self.kernels = "XNNPACK" if xnnpack else "the plain kernels"
        self.backend: Backend = module.build(module.Options(xnnpack=xnnpack), model.data, model.name)
        spec = self._only_input(model)
        self._prepare = Preprocessor(spec, pre)
        self._tensor = np.zeros(spec.shape, spec.dtype)

    def tensor(self, data: Array) -> Array:
        """Give the input tensor for what a source gives; the array is used again for the next.

        Raises:
            InputRejected: the data does not fit the input.
        """
        self._prepare(Frame(0, 0, data), self._tensor)
        return self._tensor

    def blank(self) -> Array:
        """Give an input tensor of zeros."""
        return np.zeros_like(self._tensor)

    @property
    def signature(self) -> Signature:
        """The model's tensors."""
        return Signature(self.backend.inputs, self.backend.outputs)

    def _only_input(self, model: LoadedModel) -> TensorSpec:
        if len(self.backend.inputs) != 1:
            problem = f"it has {len(self.backend.inputs)} inputs"
            raise ModelInvalid("use model", model.name, problem, "Export it with one input")
        return self.backend.inputs[0]


class Line:
    """Inputs, and the decoder that reads what the model makes of them.

    Args:
        inputs: the loaded model.
        task: the decoder's name.
        options: of the decoder.
        labels: class names.

    Raises:
        ConfigInvalid: there is no such decoder, or an option of it is wrong.
        ModelInvalid: the outputs or the labels do not fit the task.
    """

    def __init__(self, inputs: Inputs, task: str, options: Mapping[str, Any], labels: Labels) -> None:
        module = plugins.load("decoders", task, "task")
        self.inputs = inputs
        self._decoder: Decoder = module.build(_validated(module, options), inputs.signature, labels)

    def items(self, data: Array) -> list[dict[str, Any]]:
        """Give the items of the result.

        Raises:
            InputRejected: the data does not fit the input, or the outputs hold nothing that can be decoded.
            BackendFault: the runtime failed.
        """
        tensor = self.inputs.tensor(data)
        outputs = self.inputs.backend.infer([tensor])
        height, width = (*data.shape, 1, 1)[:2]
        info = FrameInfo(seq=0, captured_ns=0, height=height, width=width)
        return [dict(item) for item in self._decoder.decode(outputs, info, [tensor]).items]


def _validated(module: Any, options: Mapping[str, Any]) -> Any:
    try:
        return module.Options.model_validate(dict(options))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        key = ".".join(("post", *map(str, first["loc"])))
        hint = "See docs/configuration.md for the decoder's options"
        raise ConfigInvalid("read", key, first["msg"], hint, loc=("post", *first["loc"])) from error
