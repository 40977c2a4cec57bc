"""Forecast: the values of the steps to come, of one quantity or of several.

The model has one output: [1, steps], or [1, steps, features]. value = output x scale + offset, as in
``regression``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from agent.decoders._fit import is_number, misfit
from agent.decoders._values import Linear, Name, check_size, finite, json_bytes, names_of, rounded
from agent.types import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.labels import Labels
    from agent.types import Array, FrameInfo, Signature, TensorSpec

_MOST = 512
_ITEM_BYTES = 80
"""Of an item without its label: {"label":,"index":0,"step":512,"value":-1.234567e-38,"after_s":4.4e7}."""
_DIGITS = 6


class Options(BaseModel):
    """What is forecast."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    names: tuple[Name, ...] = Field(
        default=(), max_length=_MOST, description="the features' names, over the labels"
    )
    scale: tuple[FiniteFloat, ...] = Field(
        default=(), max_length=_MOST, description="what is multiplied: one for all, or one for each feature"
    )
    offset: tuple[FiniteFloat, ...] = Field(
        default=(), max_length=_MOST, description="what is added after that: one, or one for each feature"
    )
    step_s: float | None = Field(
        default=None, gt=0, le=86400, description="seconds from one step to the next"
    )


def build(options: Options, signature: Signature, labels: Labels) -> ForecastDecoder:
    """Make the decoder for a model of this signature.

    Raises:
        ModelInvalid: there is not exactly one output of [1, steps] or [1, steps, features], it has more than
            512 values, or an option does not fit the features' number.
    """
    outputs = signature.outputs
    shape = outputs[0].shape if len(outputs) == 1 and is_number(outputs[0]) else ()
    if len(shape) not in (2, 3) or shape[0] != 1 or not 1 <= int(np.prod(shape, dtype=np.int64)) <= _MOST:
        wanted = f"one output [1, steps] or [1, steps, features] of at most {_MOST} values"
        raise misfit("forecast", wanted, outputs)
    features = shape[2] if len(shape) == 3 else 1
    names = names_of(options.names, labels, features, "forecast", "features")
    return ForecastDecoder(options, outputs[0], names)


class ForecastDecoder:
    """Items are {"label", "index", "step", "value"}, step by step, and "after_s" where ``step_s`` is known.

    Steps count from 1, the first that was not seen; ``index`` is the feature's.

    Args:
        options: what is forecast.
        output: [1, steps] or [1, steps, features].
        names: of the features.

    Raises:
        ModelInvalid: an option has another number of entries, or the names are too long for so many values.
    """

    def __init__(self, options: Options, output: TensorSpec, names: Sequence[str]) -> None:
        self._output, self._names, self._step_s = output, names, options.step_s
        self._linear = Linear(options.scale, options.offset, len(names), "forecast")
        most = int(np.prod(output.shape))
        check_size(most, _ITEM_BYTES + max(json_bytes(name) for name in names), "forecast")

    def decode(
        self,
        outputs: Sequence[Array],
        frame: FrameInfo,  # noqa: ARG002 - the seam has it
        inputs: Sequence[Array] = (),  # noqa: ARG002 - the seam has it
    ) -> Result:
        """Read one window's output.

        Raises:
            InputRejected: a value is NaN or infinite.
        """
        values = finite(outputs, (self._output,)).reshape(-1, len(self._names))
        values = self._linear(values, self._output.name)
        count = len(self._names)
        items = [
            self._item(at // count + 1, at % count, value)
            for at, value in enumerate(rounded(values.reshape(-1)))
        ]
        return Result("forecast", tuple(items))

    def _item(self, step: int, index: int, value: float) -> dict[str, Any]:
        item = {"label": self._names[index], "index": index, "step": step, "value": value}
        return item if self._step_s is None else {**item, "after_s": round(step * self._step_s, _DIGITS)}
