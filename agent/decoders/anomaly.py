"""Anomaly: is this frame like those that the model knows?

The model has one output: a reconstruction, of the shape of the model's only input, or a single number. Of a
reconstruction, the error is the mean squared difference between what the model gave and what it was given,
both dequantized: in the input's units, squared. The mean runs over all elements, as in the training of
autoencoders: a mean of many is steady, where the largest difference would follow the noise. A single number
is the error itself.

The threshold belongs to the model: whoever trained it sets it on inputs that are known to be normal, and the
bundle's manifest carries it. The score is error / (error + threshold), which is 0.5 at the threshold; an
error below 0 scores 0.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from agent.decoders._fit import is_number, misfit
from agent.errors import InputRejected
from agent.tensors import dequantize
from agent.types import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.labels import Labels
    from agent.types import Array, FrameInfo, Signature, TensorSpec

LABELS = ("normal", "anomaly")
_WANTED = "one output: of the input's shape (a reconstruction), or a single number (the error)"
_DIGITS = 6


class Options(BaseModel):
    """Where normal ends."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    threshold: float = Field(
        gt=0,
        allow_inf_nan=False,
        description="the error from which on a frame is an anomaly; `edge-agent calibrate` finds it",
    )


def build(options: Options, signature: Signature, labels: Labels) -> AnomalyDecoder:  # noqa: ARG001
    """Make the decoder for a model of this signature.

    Raises:
        ModelInvalid: there is not exactly one output, or it is neither of the input's shape nor one number.
    """
    inputs, outputs = signature.inputs, signature.outputs
    if len(outputs) != 1 or not is_number(outputs[0]):
        raise misfit("anomaly", _WANTED, outputs)
    size = _without_ones(outputs[0])
    if len(inputs) == 1 and is_number(inputs[0]) and _without_ones(inputs[0]) == size:
        return AnomalyDecoder(options.threshold, outputs[0], inputs[0])
    if size != ():
        raise misfit("anomaly", _WANTED, outputs)
    return AnomalyDecoder(options.threshold, outputs[0], None)


class AnomalyDecoder:
    """One item: {"label": "normal" or "anomaly", "index": 0 or 1, "score", "error", "threshold"}.

    Args:
        threshold: the error from which on a frame is an anomaly.
        output: the model's output.
        given: the input that the output reconstructs, or None when the output is the error itself.
    """

    def __init__(self, threshold: float, output: TensorSpec, given: TensorSpec | None) -> None:
        self._threshold = threshold
        self._output = output
        self._given = given

    def decode(
        self,
        outputs: Sequence[Array],
        frame: FrameInfo,  # noqa: ARG002 - the seam has it
        inputs: Sequence[Array] = (),
    ) -> Result:
        """Judge one frame.

        Raises:
            InputRejected: the error is NaN or infinite, or the inputs to compare with are missing.
        """
        error = float(f"{self._error(outputs[0], inputs):.7g}")  # the digits of a float32
        if not np.isfinite(error):
            raise self._rejected("the error is NaN or infinite", "Check the model with --task tensor")
        index = int(error >= self._threshold)
        above = max(error, 0.0)
        item = {
            "label": LABELS[index],
            "index": index,
            "score": round(above / (above + self._threshold), _DIGITS),
            "error": error,
            "threshold": self._threshold,
        }
        return Result("anomaly", (item,))

    def _error(self, output: Array, inputs: Sequence[Array]) -> float:
        found = dequantize(output, self._output).astype(np.float64)
        if self._given is None:
            return float(found.reshape(-1)[0])
        if len(inputs) != 1 or inputs[0].size != output.size:
            raise self._rejected("there is no input to compare it with", "Run the model in a pipeline")
        wanted = dequantize(inputs[0], self._given).astype(np.float64)
        with np.errstate(invalid="ignore"):  # infinite less infinite is NaN, and refused above
            return float(np.square(found.reshape(-1) - wanted.reshape(-1)).mean())

    def _rejected(self, problem: str, hint: str) -> InputRejected:
        return InputRejected("decode", self._output.name, problem, hint)


def _without_ones(spec: TensorSpec) -> tuple[int, ...]:
    return tuple(size for size in spec.shape if size != 1)
