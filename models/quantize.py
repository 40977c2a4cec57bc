"""The numbers of quantization: real = scale * (stored - zero point), halves rounded away from zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from agent.tensors import round_as_tflite

if TYPE_CHECKING:
    from agent.types import Array

Precision = Literal["float32", "int8", "uint8"]
"""What a model file holds its activations and weights in."""

Range = tuple[float, float]
"""The lowest and highest real value of a tensor."""


@dataclass(frozen=True, slots=True)
class Quant:
    """Scales and zero points of one tensor: one of each, or one per index along ``axis``."""

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int = 0


def affine(low: float, high: float, precision: Precision) -> Quant:
    """Spread the 256 stored values over [low, high], widened to hold 0 exactly."""
    low, high = min(low, 0.0), max(high, 0.0)
    scale = (high - low) / 255 or 1.0
    first = _limits(precision)[0]
    zero_point = round_as_tflite(np.array(first - low / scale, np.float64))
    return Quant((scale,), (int(np.clip(zero_point, first, first + 255)),))


def quantize(values: Array, quant: Quant, precision: Precision) -> Array:
    """Store real ``values``, rounded and saturating."""
    scale, zero = _along(values, quant)
    stored: Array = np.clip(_steps(values, scale) + zero, *_limits(precision)).astype(precision)
    return stored


def dequantize(stored: Array, quant: Quant) -> Array:
    """Give the real values of ``stored``, as float32."""
    scale, zero = _along(stored, quant)
    values: Array = ((stored - zero) * scale).astype(np.float32)
    return values


def weights(values: Array, precision: Precision, axis: int | None) -> tuple[Array, Quant]:
    """Quantize weights: int8 symmetrically, per index of ``axis`` if given; uint8 as one range.

    A channel of nothing but tiny weights shares the scale of larger ones, so that its bias fits 32 bits.
    """
    if precision == "uint8":
        quant = affine(float(values.min()), float(values.max()), precision)
        return quantize(values, quant, precision), quant
    others = tuple(one for one in range(values.ndim) if one != axis)
    peaks = np.abs(values).max(axis=others if axis is not None else None)
    scale = np.maximum(np.atleast_1d(peaks), max(float(peaks.max()) * 1e-4, 1e-12)) / 127
    quant = Quant(tuple(scale.tolist()), (0,) * scale.size, axis or 0)
    stored = quantize(values, quant, precision)
    return np.maximum(stored, -127), quant


def bias(values: Array, inputs: Quant, weight: Quant) -> tuple[Array, Quant]:
    """Store a bias as int32 in units of input scale times weight scale, as the kernels add it."""
    scale = np.array(weight.scale, np.float64) * inputs.scale[0]
    limits: Any = np.iinfo(np.int32)
    stored = np.clip(_steps(values, scale), limits.min, limits.max).astype(np.int32)
    return stored, Quant(tuple(scale.tolist()), (0,) * scale.size)


def _steps(values: Array, scale: Array) -> Array:
    return round_as_tflite(values.astype(np.float64) / scale)


def _along(values: Array, quant: Quant) -> tuple[Array, Array]:
    """Shape scales and zero points so that they run along their axis of ``values``."""
    shape = [1] * values.ndim
    if len(quant.scale) > 1:
        shape[quant.axis] = -1
    return np.reshape(quant.scale, shape), np.reshape(quant.zero_point, shape)


def _limits(precision: Precision) -> tuple[int, int]:
    return (0, 255) if precision == "uint8" else (-128, 127)
