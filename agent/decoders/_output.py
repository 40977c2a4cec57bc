"""A model's output, of which only parts become real numbers: most of a large one is never needed."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from agent.tensors import dequantize, is_quantized

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.types import Array, TensorSpec


class Output:
    """One output of the model, of which only parts become real numbers."""

    def __init__(self, outputs: Sequence[TensorSpec], at: int) -> None:
        self.spec = outputs[at]
        self._at = at
        self._along = len(self.spec.scale) > 1
        self._part = (
            replace(self.spec, dtype="float32", scale=(), zero_point=()) if self._along else self.spec
        )
        self._whole = is_quantized(self._part)

    def stored(self, outputs: Sequence[Array]) -> Array:
        """Give the numbers as stored; where scales run along a dimension they are real already."""
        array = outputs[self._at]
        if self._along:
            return dequantize(array, self.spec)
        return array.astype(np.uint8) if array.dtype.kind == "b" else array

    def real(self, part: Array) -> Array:
        """Make a part of what ``stored`` gave real numbers: float32, the same shape."""
        return dequantize(part, self._part)

    def at_least(self, part: Array, least: float) -> Array:
        """Mark the numbers that stand for ``least`` or more: bool, the same shape. NaN does not."""
        if not self._whole:
            real: Array = part >= np.float32(least)
            return real
        bounds = np.iinfo(part.dtype)
        bar = least / self._part.scale[0] + self._part.zero_point[0] if math.isfinite(least) else least
        if bar > bounds.max:
            return np.zeros(part.shape, bool)
        # A bar of the array's own type: with a wider one numpy would widen the whole array first.
        stored: Array = part >= part.dtype.type(math.ceil(max(bar, bounds.min)))
        return stored

    def reach(self) -> float | None:
        """Give the greatest number that the output can hold, when it is quantized; else None."""
        if not is_quantized(self.spec):
            return None
        top = np.iinfo(self.spec.dtype).max
        pairs = zip(self.spec.scale, self.spec.zero_point, strict=True)
        return max((top - zero_point) * scale for scale, zero_point in pairs)
