"""The summary of any output."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from agent.decoders import tensor
from agent.errors import ModelInvalid
from agent.labels import Labels
from agent.types import FrameInfo, Signature, TensorSpec

FRAME = FrameInfo(seq=0, captured_ns=0, height=1, width=1)


def decode(output: TensorSpec, values: Any, **options: Any) -> Any:
    decoder = tensor.build(tensor.Options(**options), Signature((), (output,)), Labels())
    result = decoder.decode([np.array(values, output.dtype)], FRAME)
    assert result.kind == "tensor"
    return result.items[0]


def test_an_output_is_summarised_in_real_numbers() -> None:
    spec = TensorSpec("heat", "int8", (2, 2), (0.5,), (-10,))
    assert decode(spec, [[-10, -8], [-6, -12]]) == {
        "name": "heat",
        "shape": [2, 2],
        "dtype": "int8",
        "min": -1,
        "max": 2,
        "mean": 0.5,
        "argmax": 2,
        "nonfinite": 0,
        "values": [0, 1, 2, -1],
    }


def test_what_is_not_finite_is_counted_and_left_out_of_the_figures() -> None:
    item = decode(TensorSpec("x", "float32", (4,)), [np.nan, 1, np.inf, 3])
    assert (item["min"], item["max"], item["mean"], item["argmax"]) == (1, 3, 2, 3)
    assert (item["nonfinite"], item["values"]) == (2, [None, 1, None, 3])


@pytest.mark.parametrize(("values", "nonfinite"), [([np.nan, -np.inf], 2), ([], 0)])
def test_where_nothing_is_finite_the_figures_are_null(values: list[float], nonfinite: int) -> None:
    item = decode(TensorSpec("x", "float32", (2,)), values)
    assert [item[key] for key in ("min", "max", "mean", "argmax")] == [None] * 4
    assert item["nonfinite"] == nonfinite


def test_wide_numbers_keep_their_digits_and_do_not_overflow() -> None:
    assert decode(TensorSpec("x", "int64", (2,)), [3, 2**53])["argmax"] == 1
    item = decode(TensorSpec("x", "float64", (3,)), [1.7e308] * 3)
    assert item["mean"] == pytest.approx(1.7e308)


def test_head_bounds_how_many_values_are_shown() -> None:
    assert decode(TensorSpec("x", "uint8", (20,)), range(20), head=3)["values"] == [0, 1, 2]
    assert len(decode(TensorSpec("x", "uint8", (20,)), range(20))["values"]) == 8


def test_booleans_and_scalars_are_summarised_too() -> None:
    assert decode(TensorSpec("x", "bool", (2,)), [True, False])["mean"] == 0.5
    assert decode(TensorSpec("x", "float32", ()), 2.5)["values"] == [2.5]


def test_each_output_has_its_item_under_a_name_of_bounded_length() -> None:
    outputs = (TensorSpec("a" * 1000, "float32", (1,)), TensorSpec("b", "float32", (1,)))
    decoder = tensor.build(tensor.Options(), Signature((), outputs), Labels())
    items = decoder.decode([np.ones(1, np.float32)] * 2, FRAME).items
    assert [item["name"] for item in items] == ["a" * 100, "b"]


@pytest.mark.parametrize(
    "outputs",
    [(), (TensorSpec("x", "float32", (1,)),) * 65, (TensorSpec("x", "complex64", (1,)),)],
)
def test_outputs_that_cannot_be_summarised_are_refused(outputs: tuple[TensorSpec, ...]) -> None:
    with pytest.raises(ModelInvalid, match="1 to 64 outputs that hold numbers"):
        tensor.build(tensor.Options(), Signature((), outputs), Labels())
