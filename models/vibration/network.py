"""The vibration network: an autoencoder whose narrow middle cannot hold more than a healthy machine does.

Once for training, in jax, and once for the file, as a ``Graph``; a test holds them equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from jax import numpy as jnp

from agent.sources.synthesis.vibration import AXES
from models import quantize
from models.graph import Graph, Value
from models.vibration.data import WINDOW

if TYPE_CHECKING:
    from agent.types import Array

INPUTS = WINDOW * AXES
CODE = 60
"""Numbers in the middle. Windows of a narrow band lie near a subspace of so few dimensions: see the card."""
RANGE_G = 2.0
"""The input holds accelerations up to so many g either way, as accelerometers of this kind do."""
_REACH = 0.999
"""Share of healthy windows whose number in the middle is within [-1, 1] at the start of the training."""

Params = list[tuple[Any, Any]]
"""Weights and bias of the two layers, (outputs, inputs) and (outputs,)."""


def seen(windows: Array) -> Array:
    """Give ``windows`` as the quantized input holds them: rounded, and cut off at its range."""
    quant = quantize.affine(-RANGE_G, RANGE_G, "int8")
    return quantize.dequantize(quantize.quantize(windows, quant, "int8"), quant)


def initial(windows: Array) -> Params:
    """Begin with the principal components of healthy ``windows`` (all, INPUTS), scaled to fit the middle."""
    products = windows.T.astype(np.float64) @ windows / len(windows)
    _, vectors = np.linalg.eigh(products)
    parts = vectors[:, : -CODE - 1 : -1].T
    reach = np.quantile(np.abs(windows @ parts.T), _REACH, axis=0)
    encode, decode = parts / reach[:, None], (parts * reach[:, None]).T
    return [
        (encode.astype(np.float32), np.zeros(CODE, np.float32)),
        (decode.astype(np.float32), np.zeros(INPUTS, np.float32)),
    ]


def reconstruct(params: Params, windows: Any) -> Any:
    """Compute the network for ``windows`` (batch, INPUTS), g."""
    (encode, encode_shift), (decode, decode_shift) = params
    code = jnp.clip(windows @ encode.T + encode_shift, -1, 1)
    return code @ decode.T + decode_shift


def graph(params: Params) -> tuple[Graph, Value]:
    """Lay out the network for a .tflite file; the second is its output, the reconstruction."""
    network = Graph("vibration: reconstructs windows of the synthetic sensor's healthy machine")
    value = network.input("window", (1, WINDOW, AXES), (-RANGE_G, RANGE_G))
    value = network.reshape("flat", value, (1, 1, 1, INPUTS))
    value = network.pointwise("code", value, *params[0])
    value = network.reshape("row", value, (1, CODE))
    value = network.dense("samples", value, *params[1])
    return network, network.reshape("reconstruction", value, (1, WINDOW, AXES))
