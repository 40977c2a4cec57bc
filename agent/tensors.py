"""Numbers as a model stores them, and as they are meant: real = (stored - zero_point) * scale."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from agent.errors import ModelInvalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.types import Array, TensorSpec

PIXELS = 256
"""How many values a pixel's channel can take."""


def is_quantized(spec: TensorSpec) -> bool:
    """Whether ``spec`` stores integers that stand for real numbers. Float tensors may carry unused scales."""
    return bool(spec.scale) and np.dtype(spec.dtype).kind in "iu"


def dequantize(array: Array, spec: TensorSpec) -> Array:
    """Give the real numbers that ``array`` stands for, as float32 of the same shape.

    The difference is taken in int64 and the product in float64, so only the last rounding is inexact.
    Arrays that are not quantized are converted as they are; what float32 cannot hold becomes infinite.
    """
    with np.errstate(over="ignore"):
        if not is_quantized(spec):
            return array.astype(np.float32)
        scale, zero_point = _parameters(spec, array.ndim)
        real: Array = (array.astype(np.int64) - zero_point) * scale
        return real.astype(np.float32)


def quantize(values: Array, spec: TensorSpec) -> Array:
    """Store real numbers as ``spec`` does: array of ``spec.dtype``, the shape of ``values``.

    Halves round away from zero as in TFLite, what is out of range saturates, and NaN becomes the zero
    point. Integer tensors without a scale are rounded; float tensors are converted.

    Raises:
        ModelInvalid: the tensor's type holds no numbers (a string or a boolean).
    """
    dtype = np.dtype(spec.dtype)
    if dtype.kind == "f":
        return values.astype(dtype)
    if dtype.kind not in "iu":
        raise ModelInvalid("quantize for", spec.name, f"its type {spec.dtype} holds no numbers")
    scale, zero_point = _parameters(spec, values.ndim)
    low, high = _bounds(dtype)
    with np.errstate(over="ignore"):  # what overflows here saturates in the next line
        steps = np.nan_to_num(values.astype(np.float64) / scale, nan=0.0, posinf=np.inf, neginf=-np.inf)
    steps = np.clip(steps, low - zero_point, high - zero_point)
    stored: Array = np.clip(round_as_tflite(steps) + zero_point, low, high)
    return stored.astype(dtype)


def round_as_tflite(values: Array) -> Array:
    """Round float64 ``values`` to whole numbers, halves away from zero; ``np.rint`` rounds them to even."""
    whole = np.trunc(values)
    rounded: Array = whole + np.sign(values) * (np.abs(values - whole) >= 0.5)
    return rounded


def pixel_table(
    spec: TensorSpec, mean: Sequence[float] | None = None, std: Sequence[float] | None = None
) -> Array:
    """Give what each pixel value becomes in the input tensor: array (256, channels) of ``spec.dtype``.

    With ``mean`` or ``std`` (one number, or one per channel in the model's channel order) a pixel x means
    (x - mean) / std, which is then quantized. Without them:

    - float inputs get x / 255;
    - 8-bit inputs get their full range: x for uint8, x - 128 for int8;
    - 16-bit inputs get x / 255, quantized by their own parameters;
    - wider integers get x.

    Raises:
        ModelInvalid: the input has no such type, lacks parameters, or has other channels than ``mean``.
    """
    dtype = np.dtype(spec.dtype)
    channels = spec.shape[-1]
    pixels = np.arange(PIXELS, dtype=np.float64)[:, np.newaxis].repeat(channels, axis=1)
    if mean is not None or std is not None:
        if len(spec.scale) > 1:
            raise ModelInvalid("prepare input", spec.name, "its scales differ from channel to channel")
        shift = _per_channel(spec, "mean", mean or (0.0,))
        spread = _per_channel(spec, "std", std or (1.0,))
        return quantize((pixels - shift) / spread, spec)
    match dtype.kind, dtype.itemsize:
        case "f", _:
            return (pixels / 255).astype(dtype)
        case ("u", 1) | ("i" | "u", 4 | 8):
            return pixels.astype(dtype)
        case "i", 1:
            return (pixels - 128).astype(dtype)
        case "i" | "u", 2 if len(spec.scale) == 1:
            return quantize(pixels / 255, spec)
    raise ModelInvalid(
        "prepare input",
        spec.name,
        f"{spec.dtype} with {len(spec.scale)} scales takes no pixels",
        "Give it arrays instead of pictures",
    )


def _parameters(spec: TensorSpec, ndim: int) -> tuple[Array, Array]:
    """Give scale (float64) and zero point (int64), shaped to broadcast over ``ndim`` dimensions."""
    if not is_quantized(spec):
        return np.ones((), np.float64), np.zeros((), np.int64)
    shape = [1] * ndim
    if len(spec.scale) > 1:
        shape[spec.axis] = len(spec.scale)
    return np.array(spec.scale, np.float64).reshape(shape), np.array(spec.zero_point, np.int64).reshape(shape)


def _bounds(dtype: np.dtype[Any]) -> tuple[float, float]:
    """Give the least and the greatest float64 that ``dtype`` can hold."""
    info = np.iinfo(dtype)
    low, high = float(info.min), float(info.max)
    return low, high if high <= info.max else float(np.nextafter(high, 0))


def _per_channel(spec: TensorSpec, what: str, numbers: Sequence[float]) -> Array:
    channels = spec.shape[-1]
    if len(numbers) not in (1, channels):
        raise ModelInvalid(
            "prepare input",
            spec.name,
            f"{what} has {len(numbers)} numbers for {channels} channels",
            f"Give one, or {channels}",
        )
    return np.array(numbers, np.float64)
