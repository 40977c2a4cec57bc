"""Segmentations: three kinds of outputs, shares, boxes, masks."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.decoders import segmentation
from agent.errors import InputRejected, ModelInvalid
from agent.imaging import masks
from agent.labels import Labels
from agent.types import FrameInfo, Signature, TensorSpec

FRAME = FrameInfo(seq=0, captured_ns=0, height=480, width=640)
SCORES = TensorSpec("out", "float32", (1, 2, 4, 3))
LOGITS = TensorSpec("out", "int8", (1, 2, 4, 3), (0.1,), (10,))
CLASSES = TensorSpec("out", "int32", (1, 2, 4))
BINARY = TensorSpec("out", "uint8", (1, 2, 4, 1), (1 / 256,), (0,))
MAP = [[0, 2, 2, 0], [1, 2, 2, 0]]
NAMES = Labels(("ground", "cat", "dog"))


def decode(spec: TensorSpec, values: Any, labels: Labels | None = None, **options: Any) -> list[Any]:
    decoder = segmentation.build(segmentation.Options(**options), Signature((), (spec,)), labels or Labels())
    result = decoder.decode([np.array(values, spec.dtype).reshape(spec.shape)], FRAME)
    assert result.kind == "segmentation"
    return list(result.items)


def test_a_class_is_its_share_its_box_and_its_mask_the_largest_first() -> None:
    scores = np.eye(3)[MAP] * 0.6 + 0.1  # 0.7 for the class, 0.1 for the others
    dog, cat = decode(SCORES, scores, NAMES)
    assert dog == {
        "label": "dog",
        "index": 2,
        "score": 0.7,
        "share": 0.5,
        "box": [0.0, 0.25, 1.0, 0.75],
        "mask": {"size": [2, 4], "counts": [2, 4, 2], "within": [0.0, 0.0, 1.0, 1.0]},
    }
    assert (cat["label"], cat["share"], cat["box"]) == ("cat", 0.125, [0.5, 0.0, 1.0, 0.25])


def test_logits_pass_through_softmax_cell_by_cell() -> None:
    values = np.eye(3)[MAP] * 20 + 10  # 2.0 for the class, 0 for the others
    [dog, cat] = decode(LOGITS, values)
    assert dog["score"] == cat["score"] == pytest.approx(np.exp(2) / (np.exp(2) + 2), abs=1e-6)


def test_a_cell_of_great_logits_takes_nothing_from_the_others() -> None:
    values = np.zeros((2, 4, 3))
    values[0, 0, 1], values[1, 1, 2] = 3e4, 2.0
    scores = {item["index"]: item["score"] for item in decode(SCORES, values, activation="softmax")}
    assert scores == {1: 1.0, 2: pytest.approx(np.exp(2) / (np.exp(2) + 2), abs=1e-6)}


def test_an_index_for_each_cell_is_taken_as_it_is() -> None:
    assert [(item["label"], item["score"]) for item in decode(CLASSES, MAP, NAMES)] == [
        ("dog", 1.0),
        ("cat", 1.0),
    ]
    floats = TensorSpec("out", "float32", (1, 2, 4, 1))
    assert [item["index"] for item in decode(floats, MAP, output="classes")] == [2, 1]
    wild = [[-1, 2, 2, 1_000_000], [np.nan, 2, np.inf, 0]]
    assert [(item["index"], item["share"]) for item in decode(floats, wild, output="classes")] == [(2, 0.375)]


def test_one_score_for_each_cell_says_whether_it_is_of_class_1() -> None:
    values = [[0, 192, 192, 0], [0, 128, 192, 127]]
    [road] = decode(BINARY, values, Labels(("other", "road")))
    assert (road["label"], road["index"], road["share"]) == ("road", 1, 0.5)
    assert road["score"] == (3 * 0.75 + 0.5) / 4
    logits = TensorSpec("out", "float32", (1, 2, 4))
    [road] = decode(logits, np.where(np.array(values) >= 128, 2.0, -2.0))
    assert (road["share"], road["score"]) == (0.5, 0.880797)


def test_the_background_is_left_out_unless_it_is_asked_for_and_so_is_what_is_small() -> None:
    assert [item["index"] for item in decode(CLASSES, MAP, background=True)] == [2, 0, 1]
    [other, _] = decode(BINARY, [[0, 64, 192, 0], [0, 64, 192, 0]], background=True)
    assert (other["index"], other["score"]) == (0, 0.916667)  # four of 1, and two of 0.75
    assert [item["index"] for item in decode(CLASSES, MAP, min_share=0.2)] == [2]
    assert [item["index"] for item in decode(CLASSES, MAP, max_items=1)] == [2]
    assert decode(CLASSES, np.zeros((2, 4))) == []


@pytest.mark.parametrize(("side", "grid", "size"), [(257, 64, 52), (64, 64, 64), (128, 64, 64), (65, 64, 33)])
def test_a_large_map_is_thinned_out_and_keeps_where_things_are(side: int, grid: int, size: int) -> None:
    cells = np.zeros((side, side), np.int32)
    cells[: side // 2, side // 2 :] = 1
    [item] = decode(TensorSpec("out", "int32", (1, side, side)), cells, grid=grid)
    assert item["mask"]["size"] == [size, size]
    assert item["share"] == pytest.approx(0.25, abs=0.02)
    assert item["box"] == pytest.approx([0, 0.5, 0.5, 1], abs=0.02)


def test_the_middle_cell_stands_for_its_block() -> None:
    cells = np.zeros((6, 6), np.int32)
    cells[3, 5] = 1
    [item] = decode(TensorSpec("out", "int32", (1, 6, 6)), cells, grid=4)
    assert item["mask"]["counts"] == [7, 1, 1]
    assert item["box"] == [0.333333, 0.666667, 0.666667, 1.0]


@given(st.integers(0, 2**32), st.integers(1, 30))
def test_whatever_the_cells_are_a_result_stays_small_and_its_masks_are_its_shares(
    seed: int, classes: int
) -> None:
    side = 200
    cells = np.random.default_rng(seed).integers(0, classes + 1, (side, side))
    spec = TensorSpec("out", "int32", (1, side, side))
    items = decode(spec, cells, grid=200, max_items=100, min_share=0.0, background=True)
    assert len(json.dumps(items)) < 50_000
    for item in items:
        assert masks.decode(item["mask"]).mean() == pytest.approx(item["share"], abs=1e-6)
    assert sum(item["share"] for item in items) == pytest.approx(1, abs=1e-4)


def test_a_cell_without_a_finite_number_is_of_no_class() -> None:
    scores = np.eye(3)[MAP]
    scores[0, 1] = np.nan
    [ground, dog, _] = decode(SCORES, scores, background=True)
    assert (ground["share"], dog["share"]) == (0.375, 0.375)
    with pytest.raises(InputRejected, match="none of its 8 cells has a finite number"):
        decode(SCORES, np.full(SCORES.shape, np.nan))


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((1, 8), {}),
        ((2, 4, 4, 3), {}),
        ((1, 0, 4, 3), {}),
        ((1, 4, 4, 3, 1), {}),
        ((1, 4, 4, 3), {"output": "classes"}),
        ((1, 4, 4, 3), {"output": "binary"}),
        ((1, 4, 4, 1), {"output": "scores"}),
    ],
)
def test_outputs_of_another_shape_are_refused(shape: tuple[int, ...], options: dict[str, Any]) -> None:
    spec = TensorSpec("out", "float32", shape)
    with pytest.raises(ModelInvalid, match="the task wants"):
        segmentation.build(segmentation.Options(**options), Signature((), (spec,)), Labels())


@pytest.mark.parametrize(("spec", "count"), [(SCORES, 2), (BINARY, 3)])
def test_labels_must_be_as_many_as_the_classes(spec: TensorSpec, count: int) -> None:
    with pytest.raises(ModelInvalid, match="labels for"):
        segmentation.build(segmentation.Options(), Signature((), (spec,)), Labels(tuple("abcdef"[:count])))
