"""Detection: which output is which, and which rows are reported."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from agent.decoders import detection
from agent.decoders.heads.ssd import Roles, find_roles
from agent.errors import InputRejected, ModelInvalid
from agent.labels import Labels
from agent.types import FrameInfo, Signature, TensorSpec

if TYPE_CHECKING:
    from agent.types import Array

FRAME = FrameInfo(seq=0, captured_ns=0, height=480, width=640)


def specs(*parts: str, rows: int = 3, prefix: str = "out", named: bool = False) -> tuple[TensorSpec, ...]:
    shapes = {"boxes": (1, rows, 4), "classes": (1, rows), "scores": (1, rows), "count": (1,)}
    names = [part if named else f"{prefix}:{at}" for at, part in enumerate(parts)]
    return tuple(TensorSpec(name, "float32", shapes[part]) for name, part in zip(names, parts, strict=True))


TF1 = specs("boxes", "classes", "scores", "count")
TF2 = specs("scores", "boxes", "count", "classes", prefix="StatefulPartitionedCall")


def outputs(boxes: Any, classes: Any, scores: Any, count: float | None = None) -> list[Array]:
    number = len(classes) if count is None else count
    return [np.array([part], np.float32) for part in (boxes, classes, scores)] + [
        np.array([number], np.float32)
    ]


def decode(arrays: list[Array], labels: Labels | None = None, **options: Any) -> list[Any]:
    found = detection.build(detection.Options(**options), Signature((), TF1), labels or Labels()).decode(
        arrays, FRAME
    )
    assert found.kind == "detection"
    return list(found.items)


BOX = [0.1, 0.2, 0.3, 0.4]


@pytest.mark.parametrize(
    ("given", "roles"),
    [
        (TF1, Roles(boxes=0, classes=1, scores=2, total=3)),
        (TF2, Roles(boxes=1, classes=3, scores=0, total=2)),
        (specs("boxes", "classes", "scores", "count", rows=1), Roles(0, 1, 2, 3)),
        (specs("boxes", "classes", "scores", "count", rows=4), Roles(0, 1, 2, 3)),
        (specs("count", "scores", "classes", "boxes", named=True), Roles(3, 2, 1, 0)),
        (specs("boxes", "scores", "classes", "count", named=True), Roles(0, 2, 1, 3)),
    ],
)
def test_the_four_outputs_are_told_apart_by_name_and_order(
    given: tuple[TensorSpec, ...], roles: Roles
) -> None:
    assert find_roles(given) == roles


def test_a_detection_is_reported_with_label_score_and_box() -> None:
    items = decode(outputs([BOX, BOX], [1, 0], [0.5, 0.75]), Labels(("cat", "dog")))
    assert items == [
        {"label": "cat", "index": 0, "score": 0.75, "box": BOX},
        {"label": "dog", "index": 1, "score": 0.5, "box": BOX},
    ]


def test_the_order_of_a_tf2_export_is_read_right() -> None:
    boxes, classes, scores, count = outputs([BOX], [2], [0.9])
    found = detection.build(detection.Options(), Signature((), TF2), Labels()).decode(
        [scores, boxes, count, classes], FRAME
    )
    assert found.items == ({"label": "class 2", "index": 2, "score": 0.9, "box": BOX},)


@pytest.mark.parametrize(("count", "reported"), [(0, 0), (1, 1), (2, 2), (99, 3), (-1, 0)])
def test_only_as_many_rows_as_the_model_counts_are_read(count: float, reported: int) -> None:
    assert len(decode(outputs([BOX] * 3, [0] * 3, [0.9] * 3, count))) == reported


def test_min_score_and_max_items_bound_what_is_reported() -> None:
    arrays = outputs([BOX] * 3, [0, 1, 2], [0.3, 0.4, 0.8])
    assert [item["index"] for item in decode(arrays)] == [2, 1]
    assert [item["index"] for item in decode(arrays, min_score=0, max_items=2)] == [2, 1]
    assert [item["index"] for item in decode(arrays, min_score=0.8)] == [2]


def test_boxes_and_scores_are_clipped_to_the_picture() -> None:
    items = decode(outputs([[-0.5, 0.2, 1.5, 0.4]], [0], [1.0001]))
    assert (items[0]["box"], items[0]["score"]) == ([0, 0.2, 1, 0.4], 1)


@pytest.mark.parametrize(
    "box", [[0.5, 0.1, 0.5, 0.2], [0.5, 0.1, 0.4, 0.2], [1.1, 0, 1.2, 1], [0, -2, 1, -1]]
)
def test_a_box_without_area_in_the_picture_is_left_out(box: list[float]) -> None:
    assert [item["index"] for item in decode(outputs([box, BOX], [0, 1], [0.9, 0.9]))] == [1]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_row_with_a_number_that_is_not_finite_is_left_out(bad: float) -> None:
    rows = [(BOX, 0, bad), (BOX, bad, 0.9), ([bad, 0, 1, 1], 2, 0.9), (BOX, 3, 0.9)]
    boxes, classes, scores = zip(*rows, strict=True)
    assert [item["index"] for item in decode(outputs(boxes, classes, scores))] == [3]


@pytest.mark.parametrize("index", [-1, 1e30])
def test_a_class_that_is_no_index_is_left_out(index: float) -> None:
    assert decode(outputs([BOX], [index], [0.9])) == []


def test_garbage_is_a_rejected_frame_and_not_an_empty_answer() -> None:
    with pytest.raises(InputRejected, match="none of its 2 detections"):
        decode(outputs([BOX, BOX], [0, 0], [np.nan, np.inf]))
    with pytest.raises(InputRejected, match="count is not finite"):
        decode(outputs([BOX], [0], [0.9], np.nan))


def test_quantized_outputs_are_read_by_their_own_parameters() -> None:
    given = (
        TensorSpec("boxes", "uint8", (1, 3, 4), (1 / 200,), (50,)),
        TensorSpec("classes", "uint8", (1, 3), (1.0,), (0,)),
        TensorSpec("scores", "int8", (1, 3), (1 / 256,), (-128,)),
        TF1[3],
    )
    arrays: list[Array] = [
        np.array([[[50, 150, 150, 250]] * 3], np.uint8),
        np.array([[7, 8, 9]], np.uint8),
        np.array([[127, 0, -128]], np.int8),
        np.array([3], np.float32),
    ]
    items = detection.build(detection.Options(), Signature((), given), Labels()).decode(arrays, FRAME).items
    assert [(item["index"], item["score"]) for item in items] == [(7, 0.996094), (8, 0.5)]
    assert items[0]["box"] == [0, 0.5, 0.5, 1]


@pytest.mark.parametrize(
    "given",
    [
        (),
        TF1[:3],
        (TensorSpec("scores", "uint8", (1, 1001)),),
        (TF1[0], TF1[0], TF1[2], TF1[3]),
        (TF1[0], TF1[1], TF1[3], TF1[3]),
        (TF1[0], TF1[1], TensorSpec("s", "float32", (1, 5)), TF1[3]),
        (TF1[0], TF1[1], TensorSpec("s", "bytes", (1, 3)), TF1[3]),
    ],
)
def test_other_outputs_are_refused_and_named(given: tuple[TensorSpec, ...]) -> None:
    with pytest.raises(ModelInvalid) as caught:
        detection.build(detection.Options(), Signature((), given), Labels())
    assert "boxes [1, N, 4]" in caught.value.problem
    assert all(spec.name in caught.value.problem for spec in given)
    assert "--task tensor" in caught.value.hint


def test_a_head_that_is_named_must_be_the_one_there() -> None:
    arrays = outputs([BOX], [0], [0.9])
    assert decode(arrays, head="ssd") == decode(arrays)
    with pytest.raises(ModelInvalid, match=r"two: scores \[1, rows, columns, classes\]"):
        decode(arrays, head="centers")
