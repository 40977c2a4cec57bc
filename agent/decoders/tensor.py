"""Any outputs at all, summarised: for models whose task has no decoder yet, and to see what a model gives.

Values are dequantized. NaN and infinite values are counted, left out of the figures, and shown as null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from agent.decoders._fit import is_number, misfit
from agent.tensors import dequantize, is_quantized
from agent.types import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.labels import Labels
    from agent.types import Array, FrameInfo, Signature, TensorSpec

ANY_SHAPE = True
"""Outputs may have other shapes than the model's file states."""

_MOST_OUTPUTS = 64
_LONGEST_NAME = 100
"""These and ``head`` keep a result well below the size of one message between processes."""


class Options(BaseModel):
    """How much of each output is shown."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    head: int = Field(default=8, ge=0, le=32, description="how many of the first values are shown")


def build(options: Options, signature: Signature, labels: Labels) -> TensorDecoder:  # noqa: ARG001
    """Make the decoder for a model of this signature.

    Raises:
        ModelInvalid: an output holds no numbers, or there are none or too many outputs.
    """
    outputs = signature.outputs
    if not 1 <= len(outputs) <= _MOST_OUTPUTS or not all(is_number(spec) for spec in outputs):
        raise misfit("tensor", f"1 to {_MOST_OUTPUTS} outputs that hold numbers", outputs)
    return TensorDecoder(options, outputs)


class TensorDecoder:
    """One item per output: name, shape, dtype, min, max, mean, argmax, nonfinite, values (the first few).

    ``shape`` is what the model gave for this frame; ``argmax`` counts through the flattened tensor. The
    figures are null where no value is finite.
    """

    def __init__(self, options: Options, outputs: tuple[TensorSpec, ...]) -> None:
        self._head = options.head
        self._outputs = outputs

    def decode(
        self,
        outputs: Sequence[Array],
        frame: FrameInfo,  # noqa: ARG002 - the seam has it
        inputs: Sequence[Array] = (),  # noqa: ARG002 - the seam has it
    ) -> Result:
        """Summarise one frame's outputs."""
        items = (
            _summary(array, spec, self._head) for array, spec in zip(outputs, self._outputs, strict=True)
        )
        return Result("tensor", tuple(items))


def _summary(array: Array, spec: TensorSpec, head: int) -> dict[str, Any]:
    # Wide integers and float64 would lose digits in float32, so only what is quantized goes through it.
    real = (dequantize(array, spec) if is_quantized(spec) else array).reshape(-1).astype(np.float64)
    finite = np.isfinite(real)
    item: dict[str, Any] = {
        "name": spec.name[:_LONGEST_NAME],
        "shape": list(array.shape),
        "dtype": spec.dtype,
        "min": None,
        "max": None,
        "mean": None,
        "argmax": None,
        "nonfinite": int(real.size - np.count_nonzero(finite)),
        "values": [_short(value) for value in real[:head].tolist()],
    }
    if finite.any():
        known = real if item["nonfinite"] == 0 else real[finite]
        item["min"], item["max"] = _short(float(known.min())), _short(float(known.max()))
        item["mean"] = _short(float((known / known.size).sum()))
        item["argmax"] = int(np.argmax(real if known is real else np.where(finite, real, -np.inf)))
    return item


def _short(value: float) -> float | None:
    """Give ``value`` in seven digits, which is what float32 holds; null for what JSON cannot carry."""
    return float(f"{value:.7g}") if np.isfinite(value) else None
