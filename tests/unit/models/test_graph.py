"""Written models against arithmetic in numpy, in the real interpreter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from models.graph import Graph, Value
from models.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.types import Array
    from models.quantize import Precision

SIDE, CHANNELS, CLASSES = 8, 3, 5


class Network:
    """One of each operator, with random weights; in numpy, and as a graph."""

    def __init__(self, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.kernel = rng.normal(0, 0.4, (6, 3, 3, CHANNELS)).astype(np.float32)
        self.depth = rng.normal(0, 0.4, (1, 3, 3, 6)).astype(np.float32)
        self.matrix = rng.normal(0, 0.8, (CLASSES, 2 * 2 * 6)).astype(np.float32)
        self.shifts = [rng.normal(0, 0.2, n).astype(np.float32) for n in (6, 6, CLASSES)]

    def graph(self) -> tuple[Graph, Value]:
        graph = Graph("a test")
        value = graph.input("image", (1, SIDE, SIDE, CHANNELS), (0.0, 1.0))
        value = graph.conv("conv", value, self.kernel, self.shifts[0], stride=2, relu=True)
        value = graph.depthwise("depthwise", value, self.depth, self.shifts[1], stride=1, relu=False)
        value = graph.max_pool("pool", value, 2)
        value = graph.dense("logits", value, self.matrix, self.shifts[2])
        return graph, graph.softmax("probabilities", value)

    def run(self, image: Array) -> Array:
        padded = np.pad(image, ((0, 1), (0, 1), (0, 0)))
        conv = np.zeros((4, 4, 6))
        for row, column in np.ndindex(4, 4):
            window = padded[2 * row : 2 * row + 3, 2 * column : 2 * column + 3]
            conv[row, column] = np.maximum((self.kernel * window).sum(axis=(1, 2, 3)) + self.shifts[0], 0)
        padded = np.pad(conv, ((1, 1), (1, 1), (0, 0)))
        depth = np.zeros((4, 4, 6))
        for row, column in np.ndindex(4, 4):
            window = padded[row : row + 3, column : column + 3]
            depth[row, column] = (self.depth[0] * window).sum(axis=(0, 1)) + self.shifts[1]
        pooled = depth.reshape(2, 2, 2, 2, 6).max(axis=(1, 3))
        logits = self.matrix @ pooled.ravel() + self.shifts[2]
        powers: Array = np.exp(logits - logits.max())
        total: Array = powers / powers.sum()
        return total


def images(count: int) -> Array:
    return np.random.default_rng(1).random((count, SIDE, SIDE, CHANNELS), np.float32)


def written(network: Network, precision: Precision) -> bytes:
    graph, output = network.graph()
    if precision == "float32":
        return graph.write(output, precision)
    observer = Runner(graph.write(output, "float32"), observe=True)
    return graph.write(output, precision, observer.ranges(images(100)))


@pytest.mark.parametrize(("precision", "near"), [("float32", 1e-5), ("int8", 0.06), ("uint8", 0.06)])
@pytest.mark.parametrize("seed", range(5))
def test_a_written_model_computes_what_numpy_does(precision: Precision, near: float, seed: int) -> None:
    network = Network(seed)
    runner = Runner(written(network, precision))
    for image in images(20):  # within the ranges that were observed
        np.testing.assert_allclose(runner.run(image), network.run(image), atol=near)


@pytest.mark.parametrize("precision", ["float32", "int8", "uint8"])
def test_inputs_outputs_and_signature_are_as_declared(precision: Precision) -> None:
    interpreter = Interpreter(model_content=written(Network(0), precision))
    interpreter.allocate_tensors()
    (given,), (gives,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert (given["name"], given["shape"].tolist()) == ("image", [1, SIDE, SIDE, CHANNELS])
    assert (gives["name"], gives["shape"].tolist()) == ("probabilities", [1, CLASSES])
    assert {np.dtype(one["dtype"]).name for one in (given, gives)} == {precision}
    found = [one["quantization_parameters"] for one in (given, gives)]
    quants = [(one["scales"].tolist(), one["zero_points"].tolist()) for one in found]
    zero = {"int8": -128, "uint8": 0}.get(precision)
    if zero is None:
        assert quants == [([], []), ([], [])]
    else:
        assert quants == [([pytest.approx(1 / 255)], [zero]), ([1 / 256], [zero])]
    assert interpreter.get_signature_list() == {
        "serving_default": {"inputs": ["image"], "outputs": ["probabilities"]}
    }


@pytest.mark.parametrize(("precision", "near"), [("float32", 1e-6), ("int8", 0.05), ("uint8", 0.1)])
def test_a_clamped_layer_between_two_reshapes_computes_what_numpy_does(
    precision: Precision, near: float
) -> None:
    rng = np.random.default_rng(0)
    weights = rng.normal(0, 0.4, (6, 12)).astype(np.float32) * np.array([1, 1, 1, 0.1, 0.1, 4])[:, None]
    shift = rng.normal(0, 0.1, 6).astype(np.float32)
    graph = Graph("a test")
    value = graph.reshape("flat", graph.input("window", (1, 4, 3), (-1.0, 1.0)), (1, 1, 1, 12))
    output = graph.reshape("out", graph.pointwise("code", value, weights, shift), (1, 3, 2))
    runner = Runner(graph.write(output, precision, {"code": (-1.0, 1.0)}))
    cut = 0
    for window in rng.uniform(-1, 1, (20, 4, 3)):
        sums = weights @ window.ravel() + shift
        cut += int((np.abs(sums) > 1.2).sum())
        np.testing.assert_allclose(runner.run(window), sums.clip(-1, 1).reshape(3, 2), atol=near)
    assert cut > 5


def test_the_same_network_gives_the_same_bytes() -> None:
    assert written(Network(3), "int8") == written(Network(3), "int8")


def test_observed_ranges_hold_every_activation() -> None:
    network = Network(0)
    graph, output = network.graph()
    ranges = Runner(graph.write(output, "float32"), observe=True).ranges(images(10))
    assert {"image", "conv", "depthwise", "pool", "logits", "probabilities"} <= set(ranges)
    assert ranges["conv"][0] == 0  # a ReLU
    assert 0.9 < ranges["image"][1] <= 1


def two_headed(seed: int) -> tuple[Graph, list[Value], Callable[[Array], list[Array]]]:
    """Give a network that branches and joins, with two outputs; as a graph and in numpy."""
    rng = np.random.default_rng(seed)
    matrices = [rng.normal(0, 0.8, (4, 1, 1, CHANNELS)).astype(np.float32) for _ in range(2)]
    shifts = [rng.normal(0, 0.2, 4).astype(np.float32) for _ in range(2)]
    graph = Graph("a test")
    image = graph.input("image", (1, SIDE, SIDE, CHANNELS), (0.0, 1.0))
    fine = graph.conv("fine", image, matrices[0], shifts[0], stride=1, relu=False)
    coarse = graph.conv("coarse", image, matrices[1], shifts[1], stride=2, relu=False)
    total = graph.add("sum", fine, graph.upsample("wide", coarse, 2), relu=True)
    outputs = [graph.logistic("scores", coarse), total]

    def run(values: Array) -> list[Array]:
        small = values[::2, ::2] @ matrices[1][:, 0, 0].T + shifts[1]
        wide = small.repeat(2, axis=0).repeat(2, axis=1)
        large = values @ matrices[0][:, 0, 0].T + shifts[0] + wide
        return [1 / (1 + np.exp(-small)), np.maximum(large, 0)]

    return graph, outputs, run


@pytest.mark.parametrize(("precision", "near"), [("float32", 1e-5), ("int8", 0.06), ("uint8", 0.06)])
@pytest.mark.parametrize("seed", range(3))
def test_a_network_with_branches_and_two_outputs_computes_what_numpy_does(
    precision: Precision, near: float, seed: int
) -> None:
    graph, outputs, run = two_headed(seed)
    content = graph.write(outputs, "float32")
    if precision != "float32":
        ranges = Runner(content, observe=True).ranges(images(100))
        content = graph.write(outputs, precision, ranges)
    runner = Runner(content)
    for image in images(20):
        for found, wanted in zip(runner.run_all(image), run(image), strict=True):
            np.testing.assert_allclose(found, wanted, atol=near)


def test_outputs_come_in_the_order_that_was_asked_for() -> None:
    graph, outputs, _ = two_headed(0)
    interpreter = Interpreter(model_content=graph.write(outputs[::-1], "float32"))
    assert [one["name"] for one in interpreter.get_output_details()] == ["sum", "scores"]
    assert interpreter.get_signature_list()["serving_default"]["outputs"] == ["scores", "sum"]
