"""How a model's numbers become scores in [0, 1]: what the decoders of classes have in common.

"none" says that they are scores, "softmax" and "sigmoid" that they are logits. "auto" decides this way:

- a quantized output is scores when its type cannot express anything outside [0, 1] (for 16 bits [-1, 1],
  since their zero point is always 0), else logits;
- a float output is scores when all its finite values lie in [0, 1], else logits. This looks at each frame's
  values: name the activation where logits may happen to lie in [0, 1].
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from agent.tensors import is_quantized

if TYPE_CHECKING:
    from agent.types import Array, TensorSpec

Activation = Literal["auto", "none", "softmax", "sigmoid"]
Logits = Literal["softmax", "sigmoid"]

_SLACK = 1e-3
"""How far scores may stray from [0, 1] by rounding and still be scores."""


def settled(activation: Activation, output: TensorSpec, logits: Logits = "softmax") -> Activation:
    """Settle "auto" where the output's type alone decides; ``logits`` is what logits pass through."""
    if activation != "auto" or not is_quantized(output):
        return activation
    info = np.iinfo(output.dtype)
    pairs = list(zip(output.scale, output.zero_point, strict=True))
    low = min((info.min - zero_point) * scale for scale, zero_point in pairs)
    high = max((info.max - zero_point) * scale for scale, zero_point in pairs)
    least = -1 if info.bits == 16 else 0
    return "none" if low >= least - _SLACK and high <= 1 + _SLACK else logits


def activate(activation: Activation, values: Array, finite: Array, logits: Logits = "softmax") -> Array:
    """Give scores in [0, 1] for all finite ``values``, and -1 for the others; the last axis holds classes.

    Args:
        activation: as ``settled`` gives it.
        values: float32 (..., classes).
        finite: which of them are: bool, of the same shape.
        logits: what values pass through that "auto" takes for logits.
    """
    if activation == "auto":
        low, high = values.min(where=finite, initial=0), values.max(where=finite, initial=0)
        activation = "none" if low >= -_SLACK and high <= 1 + _SLACK else logits
    if activation == "softmax":
        scores = _softmax(values, finite)
    elif activation == "sigmoid":
        scores = 1 / (1 + np.exp(-np.clip(values, -80, 80)))
    else:
        scores = values
    return np.where(finite, np.clip(scores, 0, 1), -1)


def _softmax(values: Array, finite: Array) -> Array:
    most = values.max(axis=-1, where=finite, initial=-np.inf, keepdims=True)
    with np.errstate(over="ignore", invalid="ignore"):  # a difference that overflows is a score of zero
        below = values - most
    powers = np.exp(below, where=finite, out=np.zeros_like(values))
    total = powers.sum(axis=-1, keepdims=True)
    shares: Array = powers / np.where(total > 0, total, 1)
    return shares
