"""Arrays that are the input tensor already: windows of samples, and tensors from files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agent.errors import InputRejected
from agent.tensors import is_quantized, quantize

if TYPE_CHECKING:
    from agent.types import Array, TensorSpec


def fill(data: Array, into: Array, spec: TensorSpec) -> None:
    """Write ``data`` into ``into``, the buffer of the input tensor ``spec``.

    Raises:
        InputRejected: another shape or type, or numbers that are NaN or infinite.
    """
    if _without_ones(data.shape) != _without_ones(spec.shape):
        raise _rejected(data, spec)
    shaped = data.reshape(spec.shape)
    if data.dtype == into.dtype:
        np.copyto(into, shaped)
    elif data.dtype.kind == "f" and into.dtype.kind == "f":
        with np.errstate(over="ignore"):  # what overflows is infinite, and rejected below
            np.copyto(into, shaped, casting="same_kind")
    elif data.dtype.kind == "f" and is_quantized(spec):
        _check_finite(shaped, spec)
        np.copyto(into, quantize(shaped, spec))
    else:
        raise _rejected(data, spec)
    if into.dtype.kind == "f":
        _check_finite(into, spec)


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def _check_finite(array: Array, spec: TensorSpec) -> None:
    bad = array.size - int(np.count_nonzero(np.isfinite(array)))
    if bad:
        problem = f"{bad} of {array.size} numbers are NaN or infinite"
        raise InputRejected("prepare input", spec.name, problem, "Check the sensor or the file")


def _rejected(data: Array, spec: TensorSpec) -> InputRejected:
    kind = f"{spec.dtype} or float" if is_quantized(spec) else spec.dtype
    problem = f"it wants {kind} {list(spec.shape)}, and got {data.dtype} {list(data.shape)}"
    if data.ndim == 2 and data.dtype.kind == "f":
        hint = "Change the source's window and channels, or name pre.features that fit (docs/features.md)"
    else:
        hint = "Convert the data to that shape and type"
    return InputRejected("prepare input", spec.name, problem, hint)
