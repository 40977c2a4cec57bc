"""A small network, written as .tflite in float32, int8 or uint8.

The graph holds real-valued weights. To quantize it, write it as float32, let ``models.runner`` observe each
activation's range on real inputs, and write it again with those ranges. int8 follows TFLite's quantization
specification (convolutions per channel); uint8 is the older scheme of one range a tensor.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from models import quantize
from models.quantize import Precision, Quant, Range
from models.tflite_writer import Writer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.types import Array

_SAME, _VALID = 0, 1
_NONE, _RELU, _CLAMP = 0, 1, 2
_PROBABILITY: dict[Precision, Quant] = {"int8": Quant((1 / 256,), (-128,)), "uint8": Quant((1 / 256,), (0,))}
"""What TFLite demands of the output of softmax and of the logistic function."""


@dataclass(frozen=True, slots=True)
class Value:
    """An activation: its name in the file, and its shape, batch first."""

    name: str
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Kind:
    """How TFLite calls an operator, and its kernel's version per precision.

    Attributes:
        channel: the weights' dimension that int8 scales run along; None is one scale for all.
        output: where the output's quantization comes from.
    """

    operator: str
    table: str
    versions: dict[Precision, int]
    channel: int | None = None
    output: Literal["range", "input", "probability"] = "range"


_CONV = _Kind("CONV_2D", "Conv2DOptions", {"float32": 1, "int8": 3, "uint8": 1}, channel=0)
_DEPTHWISE = _Kind(
    "DEPTHWISE_CONV_2D", "DepthwiseConv2DOptions", {"float32": 1, "int8": 3, "uint8": 1}, channel=3
)
_DENSE = _Kind("FULLY_CONNECTED", "FullyConnectedOptions", {"float32": 1, "int8": 4, "uint8": 1})
_MAX_POOL = _Kind("MAX_POOL_2D", "Pool2DOptions", {"float32": 1, "int8": 2, "uint8": 1}, output="input")
_ADD = _Kind("ADD", "AddOptions", {"float32": 1, "int8": 2, "uint8": 1})
_UPSAMPLE = _Kind(
    "RESIZE_NEAREST_NEIGHBOR",
    "ResizeNearestNeighborOptions",
    {"float32": 1, "int8": 2, "uint8": 1},
    output="input",
)
_LOGISTIC = _Kind("LOGISTIC", "", {"float32": 1, "int8": 2, "uint8": 1}, output="probability")
_SOFTMAX = _Kind("SOFTMAX", "SoftmaxOptions", {"float32": 1, "int8": 2, "uint8": 1}, output="probability")
_RESHAPE = _Kind("RESHAPE", "ReshapeOptions", {"float32": 1, "int8": 1, "uint8": 1}, output="input")


@dataclass(frozen=True, slots=True)
class _Node:
    kind: _Kind
    source: Value
    target: Value
    fields: dict[str, Any]
    weights: Array | None = None
    bias: Array | None = None
    other: Value | None = None


@dataclass
class Graph:
    """Builds a network with one input, operator by operator; each method gives the operator's output."""

    description: str
    _inputs: dict[Value, Range] = field(default_factory=dict)
    _nodes: list[_Node] = field(default_factory=list)

    def input(self, name: str, shape: tuple[int, ...], values: Range) -> Value:
        """Declare the input, and the real values that it can hold."""
        value = Value(name, shape)
        self._inputs[value] = values
        return value

    def conv(
        self, name: str, source: Value, weights: Array, bias: Array, *, stride: int, relu: bool
    ) -> Value:
        """Convolve with "same" padding. ``weights``: (outputs, rows, columns, inputs)."""
        target = Value(name, (*_strided(source.shape, stride), weights.shape[0]))
        return self._add(_Node(_CONV, source, target, _window(stride, relu=relu), weights, bias))

    def depthwise(
        self, name: str, source: Value, weights: Array, bias: Array, *, stride: int, relu: bool
    ) -> Value:
        """Convolve each channel by itself, with "same" padding. ``weights``: (1, rows, columns, channels)."""
        target = Value(name, (*_strided(source.shape, stride), weights.shape[3]))
        fields = {**_window(stride, relu=relu), "depthMultiplier": 1}
        return self._add(_Node(_DEPTHWISE, source, target, fields, weights, bias))

    def max_pool(self, name: str, source: Value, size: int) -> Value:
        """Take the largest of each ``size`` x ``size`` field."""
        batch, height, width, channels = source.shape
        target = Value(name, (batch, height // size, width // size, channels))
        fields = {
            "padding": _VALID,
            "strideH": size,
            "strideW": size,
            "filterHeight": size,
            "filterWidth": size,
        }
        return self._add(_Node(_MAX_POOL, source, target, fields))

    def dense(self, name: str, source: Value, weights: Array, bias: Array, *, relu: bool = False) -> Value:
        """Connect every input with every output. ``weights``: (outputs, inputs)."""
        fields = {"fusedActivationFunction": _RELU if relu else _NONE}
        return self._add(_Node(_DENSE, source, Value(name, (1, weights.shape[0])), fields, weights, bias))

    def reshape(self, name: str, source: Value, shape: tuple[int, ...]) -> Value:
        """Give the same numbers another shape."""
        return self._add(_Node(_RESHAPE, source, Value(name, shape), {"newShape": list(shape)}))

    def pointwise(self, name: str, source: Value, weights: Array, bias: Array) -> Value:
        """Connect every channel with every output and cut the sum off at -1 and 1; a convolution of 1x1.

        As ``dense``, but the int8 weights have a scale an output. ``weights``: (outputs, inputs).
        """
        target = Value(name, (*source.shape[:3], weights.shape[0]))
        fields = {**_window(1, relu=False), "fusedActivationFunction": _CLAMP}
        return self._add(_Node(_CONV, source, target, fields, weights[:, None, None, :], bias))

    def softmax(self, name: str, source: Value) -> Value:
        """Turn logits into probabilities."""
        return self._add(_Node(_SOFTMAX, source, Value(name, source.shape), {"beta": 1.0}))

    def add(self, name: str, source: Value, other: Value, *, relu: bool) -> Value:
        """Add two activations of one shape."""
        fields = {"fusedActivationFunction": _RELU if relu else _NONE}
        return self._add(_Node(_ADD, source, Value(name, source.shape), fields, other=other))

    def upsample(self, name: str, source: Value, times: int) -> Value:
        """Repeat each cell ``times`` down and across."""
        batch, height, width, channels = source.shape
        target = Value(name, (batch, height * times, width * times, channels))
        fields = {"alignCorners": False, "halfPixelCenters": False}
        return self._add(_Node(_UPSAMPLE, source, target, fields))

    def logistic(self, name: str, source: Value) -> Value:
        """Turn each logit into a probability of its own."""
        return self._add(_Node(_LOGISTIC, source, Value(name, source.shape), {}))

    def write(
        self,
        output: Value | Sequence[Value],
        precision: Precision,
        ranges: Mapping[str, Range] | None = None,
    ) -> bytes:
        """Give the .tflite file.

        Args:
            output: what the model gives: one value, or several in this order.
            precision: of input, output, activations and weights.
            ranges: of each activation by name; not needed for float32.
        """
        writer = Writer()
        quants: dict[Value, Quant | None] = {}
        index: dict[Value, int] = {}
        for value, values in self._inputs.items():
            quants[value] = None if precision == "float32" else quantize.affine(*values, precision)
            index[value] = writer.tensor(value.name, value.shape, precision, quant=quants[value])
        for node in self._nodes:
            quants[node.target] = _output_quant(node, quants[node.source], precision, ranges or {})
            inputs = [index[node.source], *_constants(writer, node, quants[node.source], precision)]
            inputs += [index[node.other]] if node.other is not None else []
            target = node.target
            index[target] = writer.tensor(target.name, target.shape, precision, quant=quants[target])
            options = (node.kind.table, node.fields)
            writer.operator(
                node.kind.operator, node.kind.versions[precision], inputs, [index[target]], options
            )
        inputs_by_name = {value.name: index[value] for value in self._inputs}
        outputs = [output] if isinstance(output, Value) else output
        return writer.finish(self.description, inputs_by_name, {one.name: index[one] for one in outputs})

    def _add(self, node: _Node) -> Value:
        self._nodes.append(node)
        return node.target


def _output_quant(
    node: _Node, source: Quant | None, precision: Precision, ranges: Mapping[str, Range]
) -> Quant | None:
    if source is None or node.kind.output == "input":
        return source
    if node.kind.output == "probability":
        return _PROBABILITY[precision]
    return quantize.affine(*ranges[node.target.name], precision)


def _constants(writer: Writer, node: _Node, source: Quant | None, precision: Precision) -> list[int]:
    """Add the node's weights and bias, or the shape or size that it makes; give their indices."""
    if node.kind in (_RESHAPE, _UPSAMPLE):
        shape = node.target.shape if node.kind is _RESHAPE else node.target.shape[1:3]
        sizes = np.array(shape, np.int32)
        return [writer.tensor(f"{node.target.name}/shape", sizes.shape, "int32", data=sizes)]
    if node.weights is None or node.bias is None:
        return []
    name, shape = node.target.name, node.weights.shape
    if source is None:
        return [
            writer.tensor(f"{name}/weights", shape, "float32", data=node.weights),
            writer.tensor(f"{name}/bias", node.bias.shape, "float32", data=node.bias),
        ]
    weights, quant = quantize.weights(node.weights, precision, node.kind.channel)
    bias, bias_quant = quantize.bias(node.bias, source, quant)
    return [
        writer.tensor(f"{name}/weights", shape, precision, data=weights, quant=quant),
        writer.tensor(f"{name}/bias", bias.shape, "int32", data=bias, quant=bias_quant),
    ]


def _strided(shape: tuple[int, ...], stride: int) -> tuple[int, int, int]:
    batch, height, width, _ = shape
    return batch, -(-height // stride), -(-width // stride)


def _window(stride: int, *, relu: bool) -> dict[str, Any]:
    activation = _RELU if relu else _NONE
    return {
        "padding": _SAME,
        "strideH": stride,
        "strideW": stride,
        "dilationHFactor": 1,
        "dilationWFactor": 1,
        "fusedActivationFunction": activation,
    }
