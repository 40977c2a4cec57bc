"""Detection from two grids: peaks, boxes around them, and what is left out."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from agent.decoders import detection
from agent.decoders.heads.centers import Roles, find_roles
from agent.errors import InputRejected, ModelInvalid
from agent.labels import Labels
from agent.types import FrameInfo, Signature, TensorSpec
from models.metrics import overlap

if TYPE_CHECKING:
    from agent.types import Array

FRAME = FrameInfo(seq=0, captured_ns=0, height=480, width=640)
ROWS, COLUMNS, CLASSES = 6, 8, 3
LABELS = Labels(("circle", "square", "star"))


def specs(classes: int = CLASSES, *, swapped: bool = False, names: str = "ab") -> tuple[TensorSpec, ...]:
    shapes = [(1, ROWS, COLUMNS, classes), (1, ROWS, COLUMNS, 4)]
    ordered = reversed(shapes) if swapped else shapes
    return tuple(TensorSpec(name, "float32", shape) for name, shape in zip(names, ordered, strict=True))


def grids(*peaks: tuple[int, int, int, float, list[float]]) -> list[Array]:
    """Give outputs with a score and sides at each (row, column, class, score, sides)."""
    scores = np.zeros((1, ROWS, COLUMNS, CLASSES), np.float32)
    boxes = np.ones((1, ROWS, COLUMNS, 4), np.float32)
    for row, column, index, score, sides in peaks:
        scores[0, row, column, index] = score
        boxes[0, row, column] = sides
    return [scores, boxes]


def decode(
    arrays: list[Array], given_specs: tuple[TensorSpec, ...] | None = None, **options: Any
) -> list[Any]:
    built = detection.build(detection.Options(**options), Signature((), given_specs or specs()), LABELS)
    found = built.decode(arrays, FRAME)
    assert found.kind == "detection"
    return list(found.items)


def test_a_peak_is_a_box_around_the_middle_of_its_cell() -> None:
    items = decode(grids((2, 3, 1, 0.75, [1.5, 0.5, 2.5, 1.5])))
    # rows 2.5 - 1.5 to 2.5 + 2.5 of 6, columns 3.5 - 0.5 to 3.5 + 1.5 of 8
    box = [round(number, 6) for number in (1 / 6, 3 / 8, 5 / 6, 5 / 8)]
    assert items == [{"label": "square", "index": 1, "score": 0.75, "box": box}]


def test_the_best_comes_first_and_min_score_and_max_items_bound_them() -> None:
    arrays = grids(
        (0, 0, 0, 0.5, [0.5] * 4),
        (5, 7, 2, 0.9, [0.5] * 4),
        (3, 3, 1, 0.7, [0.5] * 4),
        (3, 6, 1, 0.3, [0.5] * 4),
    )
    assert [item["index"] for item in decode(arrays)] == [2, 1, 0]
    assert [item["index"] for item in decode(arrays, min_score=0.7)] == [2, 1]
    assert [item["index"] for item in decode(arrays, max_items=1)] == [2]
    assert len(decode(arrays, min_score=0.2)) == 4


def test_a_cell_beside_a_better_one_of_its_class_is_no_peak() -> None:
    arrays = grids((2, 2, 0, 0.9, [1.0] * 4), (3, 3, 0, 0.8, [0.1] * 4), (2, 3, 1, 0.7, [1.0] * 4))
    assert [(item["index"], item["score"]) for item in decode(arrays)] == [(0, 0.9), (1, 0.7)]


def test_boxes_of_one_class_that_overlap_by_more_than_iou_are_one_detection() -> None:
    # Two cells apart: 1.5 of 4.5 rows are shared, 3 of 6 in all.
    arrays = grids((1, 3, 0, 0.9, [1.5, 1.0, 3.0, 1.0]), (3, 3, 0, 0.8, [3.0, 1.0, 1.5, 1.0]))
    share = overlap((0, 2.5, 4.5, 4.5), (0.5, 2.5, 5.0, 4.5))
    assert len(decode(arrays, iou=share - 0.01)) == 1
    assert len(decode(arrays, iou=share + 0.01)) == 2
    arrays[0][0, 3, 3] = [0, 0.8, 0]
    assert [item["index"] for item in decode(arrays, iou=0)] == [0, 1]


def test_what_a_suppressed_box_overlaps_stays() -> None:
    """A chain: the second is too near to the first, the third only to the second."""
    arrays = grids(
        *((1, column, 0, score, [1.0, 2.0, 1.0, 2.0]) for column, score in ((2, 0.9), (4, 0.8), (6, 0.7)))
    )
    found = decode(arrays, iou=0.3)
    assert [item["score"] for item in found] == [0.9, 0.7]


def test_level_neighbours_are_one_detection() -> None:
    """Quantized scores are often level: the boxes of both cells are of one object."""
    arrays = grids((2, 2, 0, 0.8, [2.0, 2.0, 2.0, 2.0]), (2, 3, 0, 0.8, [2.0, 3.0, 2.0, 1.0]))
    assert len(decode(arrays)) == 1


def test_boxes_are_clipped_and_those_without_area_in_the_picture_left_out() -> None:
    arrays = grids((0, 0, 0, 0.9, [5.0, 5.0, 9.0, 9.0]), (3, 5, 1, 0.8, [-2.0, 1.0, 1.0, 1.0]))
    items = decode(arrays)
    assert [item["index"] for item in items] == [0]
    assert items[0]["box"] == [0, 0, 1, 1]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_left_out(bad: float) -> None:
    arrays = grids((1, 1, 0, 0.9, [bad, 1.0, 1.0, 1.0]), (4, 5, 1, 0.8, [1.0] * 4))
    arrays[0][0, 4, 6, 1] = bad
    assert [item["index"] for item in decode(arrays)] == [1]


def test_garbage_is_a_rejected_frame_and_not_an_empty_answer() -> None:
    with pytest.raises(InputRejected, match="none of its 144 scores is finite"):
        decode([np.full((1, ROWS, COLUMNS, CLASSES), np.nan, np.float32), grids()[1]])
    with pytest.raises(InputRejected, match="none of the boxes of its 1 detections is finite"):
        decode(grids((1, 1, 0, 0.9, [np.nan] * 4)))
    assert decode(grids()) == []


def test_quantized_grids_are_read_by_their_own_parameters() -> None:
    quantized = (
        TensorSpec("scores", "int8", (1, ROWS, COLUMNS, CLASSES), (1 / 256,), (-128,)),
        TensorSpec("boxes", "uint8", (1, ROWS, COLUMNS, 4), (0.05, 0.1, 0.05, 0.1), (0, 10, 0, 10), 3),
    )
    scores = np.full((1, ROWS, COLUMNS, CLASSES), -128, np.int8)
    scores[0, 2, 3, 1] = 64
    boxes = np.zeros((1, ROWS, COLUMNS, 4), np.uint8)
    boxes[0, 2, 3] = [30, 15, 50, 25]  # 1.5, 0.5, 2.5 and 1.5 cells
    wanted = decode(grids((2, 3, 1, 0.75, [1.5, 0.5, 2.5, 1.5])))
    assert decode([scores, boxes], quantized) == wanted


@pytest.mark.parametrize(
    ("outputs", "roles"),
    [
        (specs(), Roles(scores=0, boxes=1)),
        (specs(swapped=True), Roles(scores=1, boxes=0)),
        (specs(4), Roles(scores=0, boxes=1)),
        (specs(4, names=("boxes", "b")), Roles(scores=1, boxes=0)),  # type: ignore[arg-type]
        (specs(4, names=("a", "scores")), Roles(scores=1, boxes=0)),  # type: ignore[arg-type]
    ],
)
def test_scores_and_boxes_are_told_apart_by_shape_then_name_then_order(
    outputs: tuple[TensorSpec, ...], roles: Roles
) -> None:
    assert find_roles(outputs) == roles


@pytest.mark.parametrize(
    "outputs",
    [
        specs()[:1],
        (specs()[0], TensorSpec("boxes", "float32", (1, ROWS, COLUMNS + 1, 4))),
        (specs()[0], TensorSpec("boxes", "float32", (1, ROWS, COLUMNS, 5))),
        (specs()[0], TensorSpec("boxes", "bytes", (1, ROWS, COLUMNS, 4))),
        tuple(TensorSpec(one.name, one.dtype, (2, *one.shape[1:])) for one in specs()),
    ],
)
def test_other_outputs_are_refused_and_both_heads_named(outputs: tuple[TensorSpec, ...]) -> None:
    with pytest.raises(ModelInvalid) as caught:
        detection.build(detection.Options(), Signature((), outputs), LABELS)
    assert "boxes [1, N, 4]" in caught.value.problem
    assert "scores [1, rows, columns, classes]" in caught.value.problem


def test_a_head_that_is_named_must_be_the_one_there() -> None:
    assert decode(grids((1, 1, 0, 0.9, [1.0] * 4)), head="centers")
    with pytest.raises(ModelInvalid, match=r"boxes \[1, N, 4\]"):
        decode(grids(), head="ssd")


def test_labels_must_be_as_many_as_classes() -> None:
    with pytest.raises(ModelInvalid, match="3 labels for 5 classes"):
        decode(grids(), specs(5))


def test_a_grid_full_of_peaks_is_a_bounded_amount_of_work_and_gives_the_best() -> None:
    """The best 400 peaks are compared with each other, here one and the same box, and the rest are not."""
    rows = columns = 60
    outputs = (
        TensorSpec("scores", "float32", (1, rows, columns, CLASSES)),
        TensorSpec("boxes", "float32", (1, rows, columns, 4)),
    )
    scores = np.zeros((1, rows, columns, CLASSES), np.float32)
    scores[0, ::2, ::2, 0] = 0.8  # 900 peaks
    scores[0, 10, 10, 2] = 0.9
    scores[0, 20, 20, 1] = 0.7
    boxes = np.full((1, rows, columns, 4), 100, np.float32)
    assert [item["index"] for item in decode([scores, boxes], outputs)] == [2, 0]
    scores[0, 20:, :, 0] = 0
    assert [item["index"] for item in decode([scores, boxes], outputs)] == [2, 0, 1]


unit = st.floats(0, 1, width=32)


@given(
    hnp.arrays(np.float32, (1, ROWS, COLUMNS, CLASSES), elements=unit),
    hnp.arrays(np.float32, (1, ROWS, COLUMNS, 4), elements=st.floats(-2, 9, width=32)),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_whatever_the_grids_hold_detections_are_peaks_apart_within_the_picture(
    scores: Array, boxes: Array, min_score: float, iou: float
) -> None:
    items = decode([scores, boxes], min_score=min_score, iou=iou, max_items=200)
    json.dumps(items, allow_nan=False)
    assert [one["score"] for one in items] == sorted((one["score"] for one in items), reverse=True)
    for at, one in enumerate(items):
        top, left, bottom, right = one["box"]
        assert 0 <= top < bottom <= 1
        assert 0 <= left < right <= 1
        assert min_score <= one["score"] <= 1
        for other in items[:at]:
            if one["index"] == other["index"]:
                # Boxes of items are rounded to six digits, and thin ones change by that.
                size = min((bottom - top), (right - left))
                assert overlap(tuple(one["box"]), tuple(other["box"])) <= iou + 1e-5 / size + 1e-4
