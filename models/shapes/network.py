"""The shape network: a small encoder, a way back up that adds what is finer, and two heads of 24 x 32 cells.

Once for training, in jax, and once for the file, as a ``Graph``; a test holds them equal.

A cell says how likely the centre of a shape of each class lies in it, and how far the four sides of that
shape's box are from the cell's centre, in cells: top, left, bottom, right.
"""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from jax import lax
from jax import numpy as jnp

from agent.sources.synthesis.glyphs import SHAPE_LABELS
from models.graph import Graph, Value
from models.shapes.data import HEIGHT, WIDTH

STRIDE = 4
ROWS, COLUMNS = HEIGHT // STRIDE, WIDTH // STRIDE

_LAYERS: tuple[tuple[str, int, int, int, int], ...] = (
    ("conv1", 3, 3, 16, 2),
    ("conv2", 3, 16, 32, 2),
    ("conv3", 3, 32, 48, 2),
    ("conv4", 3, 48, 64, 2),
    ("conv5", 3, 64, 64, 1),
    ("side3", 1, 48, 32, 1),
    ("up3", 1, 64, 32, 1),
    ("mix3", 3, 32, 32, 1),
    ("side2", 1, 32, 32, 1),
    ("mix2", 3, 32, 32, 1),
    ("class_mix", 3, 32, 32, 1),
    ("box_mix", 3, 32, 32, 1),
    ("logits", 1, 32, len(SHAPE_LABELS), 1),
    ("boxes", 1, 32, 4, 1),
)
"""Convolutions: name, kernel, channels in, channels out, stride."""
_LINEAR = ("side3", "up3", "side2", "logits")
_RARE, _USUAL_CELLS = -4.0, 3.5
"""Biases at the start: few cells hold a centre, and a side is about so many cells away."""

Params = dict[str, tuple[Any, Any]]
"""Weights and bias of each convolution, in TFLite's layout: (outputs, rows, columns, inputs)."""


def initial(seed: int) -> Params:
    """Draw He-normal weights; biases are 0 but for the heads."""
    rng = np.random.default_rng(seed)
    layers: Params = {}
    for name, kernel, inputs, outputs, _ in _LAYERS:
        spread = np.sqrt((1.0 if name in _LINEAR else 2.0) / (inputs * kernel * kernel))
        weights = rng.normal(0, spread, (outputs, kernel, kernel, inputs)).astype(np.float32)
        layers[name] = (weights, np.zeros(outputs, np.float32))
    layers["logits"][1][:] = _RARE
    layers["boxes"][1][:] = _USUAL_CELLS
    return layers


def heads(params: Params, images: Any) -> tuple[Any, Any]:
    """Compute the network for uint8 ``images`` (batch, HEIGHT, WIDTH, 3).

    Returns:
        Logits (batch, ROWS, COLUMNS, classes) and sides (batch, ROWS, COLUMNS, 4) in cells.
    """
    strides = {name: stride for name, _, _, _, stride in _LAYERS}

    def conv(name: str, values: Any) -> Any:
        kernel, shift = params[name]
        values = _convolved(values, kernel, strides[name]) + shift
        return values if name in _LINEAR else jax.nn.relu(values)

    two = conv("conv2", conv("conv1", images.astype(jnp.float32) / 255))
    three = conv("conv3", two)
    five = conv("conv5", conv("conv4", three))
    three = conv("mix3", jax.nn.relu(conv("side3", three) + _doubled(conv("up3", five))))
    two = conv("mix2", jax.nn.relu(conv("side2", two) + _doubled(three)))
    return conv("logits", conv("class_mix", two)), conv("boxes", conv("box_mix", two))


def graph(params: Params) -> tuple[Graph, list[Value]]:
    """Lay out the network for a .tflite file; the second are its outputs, scores and boxes."""
    network = Graph("shapes: detects the synthetic camera's shapes")
    strides = {name: stride for name, _, _, _, stride in _LAYERS}

    def conv(name: str, value: Value) -> Value:
        return network.conv(name, value, *params[name], stride=strides[name], relu=name not in _LINEAR)

    two = conv("conv2", conv("conv1", network.input("image", (1, HEIGHT, WIDTH, 3), (0.0, 1.0))))
    three = conv("conv3", two)
    five = conv("conv5", conv("conv4", three))
    wide = network.upsample("wide3", conv("up3", five), 2)
    three = conv("mix3", network.add("sum3", conv("side3", three), wide, relu=True))
    wide = network.upsample("wide2", three, 2)
    two = conv("mix2", network.add("sum2", conv("side2", two), wide, relu=True))
    scores = network.logistic("scores", conv("logits", conv("class_mix", two)))
    return network, [scores, conv("boxes", conv("box_mix", two))]


def _convolved(values: Any, kernel: Any, stride: int) -> Any:
    """Convolve with "same" padding; 1x1 as a matrix product, which is quicker on a CPU."""
    if kernel.shape[1] == 1:
        return values @ kernel.reshape(len(kernel), -1).T
    layout = ("NHWC", "OHWI", "NHWC")
    return lax.conv_general_dilated(values, kernel, (stride, stride), "SAME", dimension_numbers=layout)


def _doubled(values: Any) -> Any:
    """Repeat each cell, down and across."""
    return jnp.repeat(jnp.repeat(values, 2, axis=1), 2, axis=2)
