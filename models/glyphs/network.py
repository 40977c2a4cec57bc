"""The glyph network: four strided convolutions, the strongest response of each feature, one dense layer.

Once for training, in jax, and once for the file, as a ``Graph``; a test holds them equal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import numpy as np
from jax import numpy as jnp

from agent.sources.synthesis.glyphs import LABELS
from models.glyphs.data import SIDE
from models.graph import Graph, Value

if TYPE_CHECKING:
    from agent.types import Array

CHANNELS = (12, 24, 40, 56)
_KERNEL = 3

Params = list[tuple[Any, Any]]
"""Weights and bias of each layer, in TFLite's layout: (outputs, rows, columns, inputs), (outputs, inputs)."""


def initial(seed: int) -> Params:
    """Draw He-normal weights; biases are 0."""
    rng = np.random.default_rng(seed)
    layers: Params = []
    inputs = 3
    for outputs in CHANNELS:
        shape = (outputs, _KERNEL, _KERNEL, inputs)
        layers.append((_normal(rng, shape, 2.0), np.zeros(outputs, np.float32)))
        inputs = outputs
    layers.append((_normal(rng, (len(LABELS), inputs), 1.0), np.zeros(len(LABELS), np.float32)))
    return layers


def logits(params: Params, images: Any) -> Any:
    """Compute the network for uint8 ``images`` (batch, SIDE, SIDE, 3)."""
    values = images.astype(jnp.float32) / 255
    *convolutions, (weights, bias) = params
    for kernel, shift in convolutions:
        values = jax.nn.relu(_halve(values, kernel) + shift)
    return values.max(axis=(1, 2)) @ weights.T + bias


def graph(params: Params) -> tuple[Graph, Value]:
    """Lay out the network for a .tflite file; the second is its output, the probabilities."""
    network = Graph("glyphs: classifies the synthetic camera's glyphs")
    value = network.input("image", (1, SIDE, SIDE, 3), (0.0, 1.0))
    *convolutions, (weights, bias) = params
    for number, (kernel, shift) in enumerate(convolutions, start=1):
        value = network.conv(f"conv{number}", value, kernel, shift, stride=2, relu=True)
    value = network.max_pool("strongest", value, value.shape[1])
    value = network.dense("logits", value, weights, bias)
    return network, network.softmax("probabilities", value)


def _halve(values: Any, kernel: Any) -> Any:
    """Convolve with stride 2 and TFLite's "same" padding, for an even height and width.

    As one matrix product: on a CPU that takes two thirds of the time of XLA's own convolution.
    """
    _, height, width, _ = values.shape
    padded = jnp.pad(values, ((0, 0), (0, 1), (0, 1), (0, 0)))
    taps = [
        padded[:, row : row + height : 2, column : column + width : 2]
        for row in range(_KERNEL)
        for column in range(_KERNEL)
    ]
    return jnp.concatenate(taps, axis=-1) @ kernel.reshape(len(kernel), -1).T


def _normal(rng: np.random.Generator, shape: tuple[int, ...], gain: float) -> Array:
    fan_in = int(np.prod(shape[1:]))
    values: Array = rng.normal(0, np.sqrt(gain / fan_in), shape).astype(np.float32)
    return values
