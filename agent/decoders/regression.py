"""Regression: every number of every output is a value with a name and a unit.

A model is trained on numbers that were brought near 0 and 1; ``scale`` and ``offset`` bring its answer back:
value = output x scale + offset. ``min`` and ``max`` then hold it within what is possible.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, StringConstraints

from agent.decoders._fit import is_number, misfit
from agent.decoders._values import (
    Linear,
    Name,
    check_count,
    check_size,
    finite,
    json_bytes,
    names_of,
    one_or_each,
    rounded,
)
from agent.errors import ModelInvalid
from agent.types import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.labels import Labels
    from agent.types import Array, FrameInfo, Signature, TensorSpec

_MOST = 256
_ITEM_BYTES = 60
"""Of an item without its label and unit: {"label":,"index":255,"value":-1.234567e-38,"unit":}."""

Unit = Annotated[str, StringConstraints(max_length=20)]


class Options(BaseModel):
    """What the numbers are."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    names: tuple[Name, ...] = Field(
        default=(), max_length=_MOST, description="the values' names, over the labels"
    )
    scale: tuple[FiniteFloat, ...] = Field(
        default=(), max_length=_MOST, description="what is multiplied: one for all values, or one for each"
    )
    offset: tuple[FiniteFloat, ...] = Field(
        default=(), max_length=_MOST, description="what is added after that: one for all, or one for each"
    )
    min: tuple[FiniteFloat, ...] = Field(
        default=(), max_length=_MOST, description="the least that a value is given as: one, or one for each"
    )
    max: tuple[FiniteFloat, ...] = Field(
        default=(), max_length=_MOST, description="the most that a value is given as: one, or one for each"
    )
    unit: tuple[Unit, ...] = Field(
        default=(), max_length=_MOST, description="what they are measured in: one for all, or one for each"
    )


def build(options: Options, signature: Signature, labels: Labels) -> RegressionDecoder:
    """Make the decoder for a model of this signature.

    Raises:
        ModelInvalid: the outputs hold no numbers or too many, or an option does not fit their number.
    """
    outputs = signature.outputs
    sizes = [int(np.prod(spec.shape, dtype=np.int64)) for spec in outputs]
    if not 1 <= sum(sizes) <= _MOST or not all(is_number(spec) for spec in outputs):
        raise misfit("regression", f"1 to {_MOST} numbers in all", outputs)
    names = names_of(options.names, labels, sum(sizes), "regression", "values")
    return RegressionDecoder(options, outputs, names)


class RegressionDecoder:
    """Items are {"label", "index", "value"}, and "unit" where there is one, in the model's order.

    Args:
        options: what the numbers are.
        outputs: where they stand.
        names: one for each.

    Raises:
        ModelInvalid: an option has another number of entries, or ``min`` is above ``max``.
    """

    def __init__(self, options: Options, outputs: Sequence[TensorSpec], names: Sequence[str]) -> None:
        count = len(names)
        self._outputs, self._names = outputs, names
        self._linear = Linear(options.scale, options.offset, count, "regression")
        self._min = one_or_each("min", options.min, count, "regression")
        self._max = one_or_each("max", options.max, count, "regression")
        if self._min is not None and self._max is not None and (self._min > self._max).any():
            raise ModelInvalid("decode as", "regression", "min is above max", "Swap the two")
        check_count("unit", len(options.unit), count, "regression")
        self._units = options.unit * count if len(options.unit) == 1 else options.unit or ("",) * count
        words = [json_bytes(one) for one in (*names, *self._units)]
        check_size(count, _ITEM_BYTES + max(words[:count]) + max(words[count:]), "regression")

    def decode(
        self,
        outputs: Sequence[Array],
        frame: FrameInfo,  # noqa: ARG002 - the seam has it
        inputs: Sequence[Array] = (),  # noqa: ARG002 - the seam has it
    ) -> Result:
        """Read one frame's outputs.

        Raises:
            InputRejected: a value is NaN or infinite.
        """
        values = self._linear(finite(outputs, self._outputs), self._outputs[0].name)
        values = values if self._min is None else np.maximum(values, self._min)
        values = values if self._max is None else np.minimum(values, self._max)
        items = [
            {"label": name, "index": index, "value": value, **({"unit": unit} if unit else {})}
            for index, (name, value, unit) in enumerate(
                zip(self._names, rounded(values), self._units, strict=True)
            )
        ]
        return Result("regression", tuple(items))
