"""Sees that outputs have the shapes that a decoder was built for: a graph may change them with each frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import InputRejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.types import Array, Decoder, FrameInfo, Result, TensorSpec


class SteadyDecoder:
    """Decodes with another decoder what has the shapes that the model's file states.

    Args:
        decoder: was built for these outputs.
        outputs: all of the model's.
    """

    def __init__(self, decoder: Decoder, outputs: Sequence[TensorSpec]) -> None:
        self._decoder, self._outputs = decoder, tuple(outputs)

    def decode(self, outputs: Sequence[Array], frame: FrameInfo, inputs: Sequence[Array] = ()) -> Result:
        """Read one frame's outputs; dimensions of 1 that are more or fewer are set right.

        Raises:
            InputRejected: an output has another shape; else as the decoder does.
        """
        found = [_fitted(array, spec) for array, spec in zip(outputs, self._outputs, strict=True)]
        return self._decoder.decode(found, frame, inputs)


def _fitted(array: Array, spec: TensorSpec) -> Array:
    if array.shape == spec.shape:
        return array
    if [size for size in array.shape if size != 1] == [size for size in spec.shape if size != 1]:
        return array.reshape(spec.shape)
    problem = f"its shape is {list(array.shape)} for this frame, and the model says {list(spec.shape)}"
    hint = "Convert the model with outputs of fixed shapes; --task tensor shows any"
    raise InputRejected("decode", spec.name, problem, hint)
