"""Tells whether a graph computes in integers, by what its operators take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ai_edge_litert.interpreter import OpDetails, TensorDetails

_HEAVY = frozenset(
    (
        "BATCH_MATMUL",
        "BIDIRECTIONAL_SEQUENCE_LSTM",
        "BIDIRECTIONAL_SEQUENCE_RNN",
        "CONV_2D",
        "CONV_3D",
        "DEPTHWISE_CONV_2D",
        "FULLY_CONNECTED",
        "LSTM",
        "RNN",
        "SVDF",
        "TRANSPOSE_CONV",
        "UNIDIRECTIONAL_SEQUENCE_LSTM",
        "UNIDIRECTIONAL_SEQUENCE_RNN",
    )
)
"""Operators that multiply by weights: where the time goes."""
_BORDERS = frozenset(("DELEGATE", "DEQUANTIZE", "QUANTIZE"))


def computes_in_integers(ops: Sequence[OpDetails], tensors: Sequence[TensorDetails]) -> bool:
    """Whether no operator that multiplies by weights takes a real number; or, without such, none at all.

    Weights of 8 bits whose activations are real (dynamic range quantization) are not enough. Real numbers at
    the model's borders, and in what comes after its network, do no harm.
    """
    real = {tensor["index"] for tensor in tensors if np.dtype(tensor["dtype"]).kind in "fc"}
    own = [op for op in ops if op["op_name"] not in _BORDERS]
    heavy = [op for op in own if op["op_name"] in _HEAVY] or own
    return bool(heavy) and not any(int(tensor) in real for op in heavy for tensor in op["inputs"])
