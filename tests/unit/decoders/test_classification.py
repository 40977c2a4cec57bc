"""Classification: which activation is chosen, and which classes are reported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from pydantic import ValidationError

from agent.decoders import classification
from agent.errors import InputRejected, ModelInvalid
from agent.labels import Labels
from agent.types import FrameInfo, Signature, TensorSpec

if TYPE_CHECKING:
    from agent.types import Array

FRAME = FrameInfo(seq=0, captured_ns=0, height=480, width=640)
FLOAT = TensorSpec("scores", "float32", (1, 4))
UINT8 = TensorSpec("scores", "uint8", (1, 4), (1 / 256,), (0,))
LOGITS = TensorSpec("logits", "int8", (1, 4), (0.1,), (10,))


def decode(output: TensorSpec, values: Any, labels: Labels | None = None, **options: Any) -> list[Any]:
    decoder = classification.build(
        classification.Options(**options), Signature((), (output,)), labels or Labels()
    )
    array = np.array(values, output.dtype).reshape(output.shape)
    result = decoder.decode([array], FRAME)
    assert result.kind == "classification"
    return list(result.items)


def scores(items: list[Any]) -> list[tuple[int, float]]:
    return [(item["index"], item["score"]) for item in items]


@pytest.mark.parametrize("names", [("cat", "dog", "cow"), tuple("abcde")])
def test_labels_that_are_not_as_many_as_the_classes_are_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(ModelInvalid, match=f"there are {len(names)} labels for 4 classes") as caught:
        decode(UINT8, [0, 64, 128, 32], Labels(names))
    assert "one line a class" in caught.value.hint


def test_probabilities_are_reported_as_they_are_best_first_with_their_labels() -> None:
    items = decode(UINT8, [0, 64, 128, 32], Labels(("cat", "dog", "cow", "fox")))
    assert items == [
        {"label": "cow", "index": 2, "score": 0.5},
        {"label": "dog", "index": 1, "score": 0.25},
        {"label": "fox", "index": 3, "score": 0.125},
        {"label": "cat", "index": 0, "score": 0},
    ]


def test_of_equal_scores_the_lower_index_comes_first() -> None:
    wide = TensorSpec("scores", "uint8", (1, 100), (1 / 256,), (0,))
    values = np.full(100, 8)
    values[[70, 30]] = 9
    assert [index for index, _ in scores(decode(wide, values, top_k=4))] == [30, 70, 0, 1]


@pytest.mark.parametrize(("top_k", "count"), [(1, 1), (3, 3), (4, 4), (50, 4)])
def test_top_k_bounds_how_many_are_reported(top_k: int, count: int) -> None:
    assert len(decode(UINT8, [1, 2, 3, 4], top_k=top_k)) == count


def test_min_score_leaves_out_what_is_below_it_and_keeps_what_equals_it() -> None:
    assert scores(decode(FLOAT, [0.1, 0.7, 0.15, 0.05], min_score=0.7)) == [(1, 0.7)]


def test_quantized_logits_are_told_by_their_range_and_pass_through_softmax() -> None:
    values = np.array([30, 10, 10, 10])
    real = (values - 10) * 0.1
    expected = np.exp(real) / np.exp(real).sum()
    found = scores(decode(LOGITS, values))
    assert found[0][0] == 0
    assert found[0][1] == pytest.approx(expected[0], abs=1e-6)
    assert sum(score for _, score in found) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("values", "best"),
    [
        ([0.1, 0.2, 0.6, 0.1], 0.6),  # probabilities
        ([0.9, 0.8, 0.7, 0.6], 0.9),  # one score a class, not adding up to 1
        ([0.0, 0.0, 0.0, np.log(2)], 0.693147),  # logits that look like scores: see the module's text
        ([0.0, 0.0, 0.0, np.log(3)], 0.5),  # logits
        ([-1.0, -1.0, -1.0, -1.0], 0.25),
        ([np.nan, 0.25, np.inf, 0.5], 0.5),  # only what is finite counts
    ],
)
def test_auto_takes_floats_within_0_and_1_for_scores_and_others_for_logits(
    values: list[float], best: float
) -> None:
    assert scores(decode(FLOAT, values))[0][1] == pytest.approx(best, abs=1e-6)


@pytest.mark.parametrize(
    ("activation", "expected"), [("none", 1.0), ("softmax", 0.880797), ("sigmoid", 0.880797)]
)
def test_a_named_activation_is_the_one_that_is_used(activation: str, expected: float) -> None:
    pair = TensorSpec("x", "float32", (1, 2))
    assert scores(decode(pair, [2.0, 0.0], activation=activation))[0] == (0, expected)


@pytest.mark.parametrize("output", [FLOAT, LOGITS])
def test_with_multi_label_logits_are_scores_each_by_itself(output: TensorSpec) -> None:
    stored = np.array([-30, 40, 10, 30])
    values = stored if output is LOGITS else (stored - 10) * 0.1
    found = scores(decode(output, values, multi_label=True, min_score=0.5))
    assert found == [(1, 0.952574), (3, 0.880797), (2, 0.5)]


def test_with_multi_label_scores_stay_scores_and_many_classes_may_have_a_high_one() -> None:
    assert scores(decode(UINT8, [192, 128, 192, 0], multi_label=True, min_score=0.5)) == [
        (0, 0.75),
        (2, 0.75),
        (1, 0.5),
    ]


def test_softmax_and_multi_label_contradict_each_other() -> None:
    with pytest.raises(ValidationError, match="softmax shares one score among all classes"):
        classification.Options(multi_label=True, activation="softmax")


def test_logits_of_any_size_give_scores_without_a_warning() -> None:
    extreme = [3e38, -3e38, 0, 3e38]
    assert scores(decode(FLOAT, extreme)) == [(0, 0.5), (3, 0.5), (1, 0), (2, 0)]
    assert scores(decode(FLOAT, extreme, activation="sigmoid"))[:2] == [(0, 1), (3, 1)]


def test_classes_that_are_not_finite_are_left_out() -> None:
    assert scores(decode(FLOAT, [np.nan, 0.5, np.inf, -np.inf])) == [(1, 0.5)]


def test_a_frame_without_one_finite_value_is_rejected() -> None:
    with pytest.raises(InputRejected, match="none of its 4 values is finite"):
        decode(FLOAT, [np.nan, np.inf, -np.inf, np.nan])


@pytest.mark.parametrize("shape", [(4,), (1, 4), (1, 1, 1, 4), (1, 4, 1, 1)])
def test_dimensions_of_one_do_not_matter(shape: tuple[int, ...]) -> None:
    assert scores(decode(TensorSpec("x", "float32", shape), [0, 0, 0.5, 0], top_k=1)) == [(2, 0.5)]


@pytest.mark.parametrize(
    "outputs",
    [
        (),
        (FLOAT, FLOAT),
        (TensorSpec("map", "float32", (1, 7, 7)),),
        (TensorSpec("one", "float32", (1, 1)),),
        (TensorSpec("text", "bytes", (1, 4)),),
    ],
)
def test_outputs_that_are_no_list_of_scores_are_refused(outputs: tuple[TensorSpec, ...]) -> None:
    with pytest.raises(ModelInvalid) as caught:
        classification.build(classification.Options(), Signature((), outputs), Labels())
    assert "one output with a score per class" in caught.value.problem
    assert all(f"{spec.name} {spec.dtype}{list(spec.shape)}" in caught.value.problem for spec in outputs)
    assert "--task tensor" in caught.value.hint


def test_the_same_scores_in_every_type_give_the_same_answer_within_a_step() -> None:
    real = np.array([0.05, 0.7, 0.2, 0.05])
    types: dict[str, tuple[float, int]] = {
        "uint8": (1 / 256, 0),
        "int8": (1 / 256, -128),
        "int16": (1 / 32768, 0),
    }
    wanted = scores(decode(FLOAT, real, top_k=2))
    for dtype, (scale, zero_point) in types.items():
        stored: Array = np.round(real / scale + zero_point)
        found = scores(decode(TensorSpec("x", dtype, (1, 4), (scale,), (zero_point,)), stored, top_k=2))
        assert [index for index, _ in found] == [1, 2]
        assert all(abs(one[1] - two[1]) <= scale for one, two in zip(found, wanted, strict=True))
