"""Other inputs and outputs around an int8 core."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from ai_edge_litert.interpreter import Interpreter

from agent.backends import tflite
from models.graph import Graph
from models.runner import Runner
from models.variants import with_borders

if TYPE_CHECKING:
    from models.quantize import Precision


def small() -> bytes:
    """Write an int8 network of one dense layer."""
    rng = np.random.default_rng(0)
    graph = Graph("a test")
    value = graph.input("image", (1, 6), (0.0, 1.0))
    weights = rng.normal(0, 1, (3, 6)).astype(np.float32)
    value = graph.dense("values", value, weights, np.zeros(3, np.float32))
    return graph.write(value, "int8", {"values": (-3.0, 3.0)})


@pytest.mark.parametrize("precision", ["uint8", "float32"])
def test_names_shapes_and_signature_stay_and_types_change(precision: Precision) -> None:
    interpreter = Interpreter(model_content=with_borders(small(), precision))
    interpreter.allocate_tensors()
    (given,), (gives,) = interpreter.get_input_details(), interpreter.get_output_details()
    found = [(one["name"], one["shape"].tolist(), np.dtype(one["dtype"]).name) for one in (given, gives)]
    assert found == [("image", [1, 6], precision), ("values", [1, 3], precision)]
    assert interpreter.get_signature_list()["serving_default"] == {"inputs": ["image"], "outputs": ["values"]}


def test_int8_is_the_model_itself() -> None:
    assert with_borders(small(), "int8") == small()


@pytest.mark.parametrize("precision", ["uint8", "float32"])
def test_the_core_computes_the_same(precision: Precision) -> None:
    plain, other = Runner(small()), Runner(with_borders(small(), precision))
    for values in np.random.default_rng(1).random((20, 6)):
        np.testing.assert_allclose(other.run(values), plain.run(values), atol=1e-6)


def test_the_agent_loads_both() -> None:
    kinds: tuple[Precision, ...] = ("uint8", "float32")
    for kind in kinds:
        backend = tflite.build(tflite.Options(), with_borders(small(), kind))
        assert backend.inputs[0].dtype == backend.outputs[0].dtype == kind
