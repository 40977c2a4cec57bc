"""A model in the agent's own line: what a worker does with a frame, without the worker."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Self

import numpy as np

from agent.backends import tflite
from agent.bundles.load import load
from agent.labels import Labels
from agent.manifest import Pre
from agent.pipeline.preprocess import Preprocessor
from agent.plugins import load as plugin
from agent.types import Frame, FrameInfo, Signature

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from agent.types import Array, Decoder, JsonValue


class Line:
    """Preprocessing, backend and decoder of a model.

    Args:
        model: the bytes of the .tflite file.
        task: the decoder's name.
        options: of the decoder.
        labels: class names.
        pre: how pictures become the input.

    Attributes:
        signature: the model's tensors.
    """

    def __init__(
        self,
        model: bytes,
        task: str,
        options: Mapping[str, JsonValue],
        labels: Labels | None = None,
        pre: Pre | None = None,
    ) -> None:
        self._backend = tflite.build(tflite.Options(), model, task)
        self._preprocess = Preprocessor(self._backend.inputs[0], pre or Pre())
        self._tensor = np.empty(self._backend.inputs[0].shape, self._backend.inputs[0].dtype)
        self.signature = Signature(self._backend.inputs, self._backend.outputs)
        module = plugin("decoders", task)
        self._decoder: Decoder = module.build(module.Options(**options), self.signature, labels or Labels())

    @classmethod
    def of(
        cls, folder: Path, model: bytes | None = None, options: Mapping[str, JsonValue] | None = None
    ) -> Self:
        """Make the line of a bundle.

        Args:
            folder: the bundle's.
            model: the bytes of another file to run in place of the bundle's own.
            options: of the decoder, over those of the manifest.
        """
        loaded = load(folder)
        settings = {**loaded.post, **(options or {})}
        return cls(model or loaded.data, loaded.task or "tensor", settings, loaded.labels, loaded.pre)

    def outputs(self, data: Array) -> tuple[Array, ...]:
        """Give the raw outputs for a frame's ``data``, as a source gives it."""
        self._preprocess(Frame(0, 0, data), self._tensor)
        return self._backend.infer([self._tensor])

    def items(self, data: Array) -> tuple[Mapping[str, JsonValue], ...]:
        """Give the items of the result for a frame's ``data``."""
        outputs = self.outputs(data)
        height, width = data.shape[:2]
        info = FrameInfo(seq=0, captured_ns=time.monotonic_ns(), height=height, width=width)
        return self._decoder.decode(outputs, info, [self._tensor]).items
