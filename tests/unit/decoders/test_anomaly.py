"""Normal or not: the error, the threshold, the score."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.decoders import anomaly
from agent.errors import InputRejected, ModelInvalid
from agent.labels import Labels
from agent.types import FrameInfo, Signature, TensorSpec

if TYPE_CHECKING:
    from agent.decoders.anomaly import AnomalyDecoder

FRAME = FrameInfo(seq=0, captured_ns=0, height=4, width=2)
WINDOW = TensorSpec("window", "float32", (1, 4, 2))
NUMBER = TensorSpec("error", "float32", (1, 1))


def build(output: TensorSpec, *inputs: TensorSpec, threshold: float = 0.5) -> AnomalyDecoder:
    options = anomaly.Options(threshold=threshold)
    return anomaly.build(options, Signature(inputs, (output,)), Labels())


def judge(value: float, threshold: float = 0.5) -> Any:
    return (
        build(NUMBER, WINDOW, threshold=threshold).decode([np.full((1, 1), value, np.float32)], FRAME).items
    )


def test_the_error_of_a_reconstruction_is_the_mean_squared_difference_from_the_input() -> None:
    window = np.arange(8, dtype=np.float32).reshape(1, 4, 2)
    other = window.copy()
    other[0, 1] += (2.0, -4.0)  # squares 4 and 16, over 8 elements
    result = build(WINDOW, WINDOW, threshold=10.0).decode([other], FRAME, [window])
    assert result.kind == "anomaly"
    assert result.items == ({"label": "normal", "index": 0, "score": 0.2, "error": 2.5, "threshold": 10.0},)


def test_both_are_dequantized_by_their_own_parameters() -> None:
    output = TensorSpec("out", "int8", (1, 2), (0.5,), (10,))
    given = TensorSpec("in", "uint8", (1, 2), (0.25,), (128,))
    arrays = np.array([[12, 6]], np.int8), np.array([[132, 128]], np.uint8)  # 1 and -2, 1 and 0
    [item] = build(output, given).decode([arrays[0]], FRAME, [arrays[1]]).items
    assert (item["error"], item["label"]) == (2.0, "anomaly")


def test_dimensions_of_one_make_no_other_shape() -> None:
    output = TensorSpec("out", "float32", (1, 1, 4, 2))
    [item] = (
        build(output, WINDOW)
        .decode([np.ones((1, 1, 4, 2), np.float32)], FRAME, [np.zeros((1, 4, 2), np.float32)])
        .items
    )
    assert item["error"] == 1.0


def test_a_single_number_is_the_error_itself() -> None:
    [item] = judge(1.5)
    assert item == {"label": "anomaly", "index": 1, "score": 0.75, "error": 1.5, "threshold": 0.5}


def test_at_the_threshold_the_score_is_one_half_and_the_frame_an_anomaly() -> None:
    [at], [below] = judge(0.5), judge(0.499)
    assert (at["score"], at["label"], at["index"]) == (0.5, "anomaly", 1)
    assert below["score"] < 0.5
    assert (below["label"], below["index"]) == ("normal", 0)


def test_an_error_below_zero_is_normal_and_scores_zero() -> None:
    [item] = judge(-0.25)
    assert (item["label"], item["score"], item["error"]) == ("normal", 0.0, -0.25)


@given(st.floats(0, width=32, allow_infinity=False), st.floats(0, exclude_min=True, allow_infinity=False))
def test_scores_rise_with_the_error_and_tell_its_side_of_the_threshold(
    error: float, threshold: float
) -> None:
    [item], [more] = judge(error, threshold), judge(max(error, min(error * 2, 3e38)), threshold)
    assert 0 <= item["score"] <= more["score"] <= 1
    assert item["index"] == (item["error"] >= threshold)
    assert item["score"] >= 0.5 if item["index"] else item["score"] <= 0.5


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_an_error_that_is_no_number_is_a_rejected_frame(bad: float) -> None:
    with pytest.raises(InputRejected, match="NaN or infinite"):
        judge(bad)
    window = np.zeros((1, 4, 2), np.float32)
    broken = window.copy()
    broken[0, 3, 1] = bad
    for arrays in ((broken, window), (window, broken), (broken, broken)):
        with pytest.raises(InputRejected, match="NaN or infinite"):
            build(WINDOW, WINDOW).decode([arrays[0]], FRAME, [arrays[1]])


@pytest.mark.parametrize("inputs", [[], [np.zeros((1, 4, 1), np.float32)], [np.zeros((1, 4, 2))] * 2])
def test_a_reconstruction_with_nothing_to_compare_it_with_is_a_rejected_frame(inputs: Any) -> None:
    with pytest.raises(InputRejected, match="no input to compare"):
        build(WINDOW, WINDOW).decode([np.zeros((1, 4, 2), np.float32)], FRAME, inputs)


@pytest.mark.parametrize(
    ("output", "inputs"),
    [
        (TensorSpec("out", "float32", (1, 2, 4)), (WINDOW,)),
        (TensorSpec("out", "float32", (1, 8)), (WINDOW,)),
        (WINDOW, (WINDOW, WINDOW)),
        (WINDOW, ()),
        (WINDOW, (TensorSpec("text", "bytes", (1, 4, 2)),)),
    ],
)
def test_an_output_that_is_neither_is_refused_with_a_way_out(output: TensorSpec, inputs: Any) -> None:
    with pytest.raises(ModelInvalid, match="a reconstruction") as caught:
        build(output, *inputs)
    assert "--task tensor" in caught.value.hint


@pytest.mark.parametrize("threshold", [0, -1, float("nan"), float("inf"), None])
def test_a_threshold_that_cannot_be_one_is_refused(threshold: Any) -> None:
    with pytest.raises(ValidationError, match="threshold"):
        anomaly.Options(threshold=threshold)
