"""Regression: names, units, and the way back from a model's numbers to real ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.decoders import regression
from agent.errors import InputRejected, ModelInvalid
from agent.labels import Labels
from agent.types import FrameInfo, Signature, TensorSpec

FRAME = FrameInfo(seq=0, captured_ns=0, height=1, width=1)
NONE = Labels()
SPEC = TensorSpec("out", "float32", (1, 3))


def decode(values: list[float], labels: Labels = NONE, **options: Any) -> tuple[Any, ...]:
    spec = TensorSpec("out", "float32", (1, len(values)))
    decoder = regression.build(regression.Options(**options), Signature((), (spec,)), labels)
    return decoder.decode([np.array([values], np.float32)], FRAME).items


def test_each_value_has_its_name_its_place_and_its_unit() -> None:
    items = decode([21.5, 0.25], names=("heat", "level"), unit=("°C", "m"))
    assert items == (
        {"label": "heat", "index": 0, "value": 21.5, "unit": "°C"},
        {"label": "level", "index": 1, "value": 0.25, "unit": "m"},
    )


def test_names_come_from_the_options_then_the_labels_then_the_place() -> None:
    labels = Labels(("a", "b"))
    assert [item["label"] for item in decode([1, 2], labels, names=("x", "y"))] == ["x", "y"]
    assert [item["label"] for item in decode([1, 2], labels)] == ["a", "b"]
    assert [item["label"] for item in decode([1, 2])] == ["value 0", "value 1"]


def test_outputs_follow_one_another_each_dequantized_by_its_own_parameters() -> None:
    outputs = TensorSpec("a", "int8", (1, 1), (0.5,), (-10,)), TensorSpec("b", "uint8", (2,), (2.0,), (1,))
    decoder = regression.build(regression.Options(), Signature((), outputs), Labels())
    items = decoder.decode([np.array([[-8]], np.int8), np.array([0, 3], np.uint8)], FRAME).items
    assert [item["value"] for item in items] == [1.0, -2.0, 4.0]


def test_a_value_is_the_output_by_scale_and_offset_within_its_range() -> None:
    items = decode([0.5, -1, 2], scale=(100,), offset=(1, 2, 3), min=(0,), max=(1000, 1000, 150))
    assert [item["value"] for item in items] == [51.0, 0.0, 150.0]


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=5), st.floats(0.01, 100))
def test_scaling_back_undoes_a_normalisation(values: list[float], std: float) -> None:
    real = [item["value"] for item in decode(values, scale=(std,), offset=(-7.0,))]
    assert real == pytest.approx(np.array(values) * std - 7, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_one_value_that_is_no_number_rejects_the_frame(bad: float) -> None:
    with pytest.raises(InputRejected, match="1 of its 2 values are NaN or infinite"):
        decode([bad, 1.0])


def test_a_value_that_overflows_is_no_number_either() -> None:
    with pytest.raises(InputRejected, match="NaN or infinite"):
        decode([3e38], scale=(1e300,))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"names": ("a", "b")}, "there are 2 names for 3 values"),
        ({"scale": (1, 2)}, "scale has 2 entries for 3 values"),
        ({"offset": (1, 2)}, "offset has 2 entries for 3 values"),
        ({"unit": ("m", "s")}, "unit has 2 entries for 3 values"),
        ({"min": (2,), "max": (3, 1, 3)}, "min is above max"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: Any, problem: str) -> None:
    with pytest.raises(ModelInvalid, match=problem):
        regression.build(regression.Options(**options), Signature((), (SPEC,)), Labels())
    with pytest.raises(ModelInvalid, match="there are 1 labels for 3 values"):
        regression.build(regression.Options(), Signature((), (SPEC,)), Labels(("a",)))


def test_what_would_not_fit_into_a_message_is_refused_at_once() -> None:
    spec = TensorSpec("out", "float32", (1, 256))
    regression.build(regression.Options(), Signature((), (spec,)), Labels())
    with pytest.raises(ModelInvalid, match="more than one result holds"):
        regression.build(regression.Options(), Signature((), (spec,)), Labels(("ä" * 100,) * 256))
    large = TensorSpec("out", "float32", (1, 257))
    with pytest.raises(ModelInvalid, match="1 to 256 numbers"):
        regression.build(regression.Options(), Signature((), (large,)), Labels())
