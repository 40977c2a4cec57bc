"""Detection from boxes that correct anchors: raw SSD, BlazeFace and EfficientDet."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from agent.decoders import detection
from agent.decoders.heads.anchored import Roles
from agent.decoders.heads.anchors import Anchors, efficientdet, ssd
from agent.decoders.heads.efficientdet import find_roles as find_levels
from agent.decoders.heads.ssd_raw import find_roles
from agent.errors import InputRejected, ModelInvalid
from agent.labels import Labels
from agent.types import FrameInfo, Signature, TensorSpec

if TYPE_CHECKING:
    from agent.types import Array

FRAME = FrameInfo(seq=0, captured_ns=0, height=480, width=640)
SIDE = 64
ANCHORS = Anchors(strides=(16, 32), aspect_ratios=(1.0, 2.0))
ROWS = 4 * 4 * 3 + 2 * 2 * 3
CLASSES = 3  # and the background


def picture(side: int = SIDE) -> TensorSpec:
    return TensorSpec("image", "uint8", (1, side, side, 3))


def floats(*shapes: tuple[int, ...], names: str = "ab") -> tuple[TensorSpec, ...]:
    return tuple(
        TensorSpec(names[at % len(names)] + str(at), "float32", shape) for at, shape in enumerate(shapes)
    )


SSD = floats((1, ROWS, 4), (1, ROWS, CLASSES + 1))


def decode(arrays: list[Array], given: tuple[TensorSpec, ...], side: int = SIDE, **options: Any) -> list[Any]:
    built = detection.build(
        detection.Options(**options), Signature((picture(side),), given), options.get("labels", Labels())
    )
    return list(built.decode(arrays, FRAME).items)


def ssd_arrays(*rows: tuple[int, int, float, list[float]]) -> list[Array]:
    """Give outputs with an encoding, and a logit of a class of the scores' own count, at each row."""
    boxes = np.zeros((1, ROWS, 4), np.float32)
    scores = np.full((1, ROWS, CLASSES + 1), -8, np.float32)
    scores[..., 0] = 4
    for row, index, score, encoding in rows:
        boxes[0, row] = encoding
        scores[0, row, index] = score
    return [boxes, scores]


def test_an_encoding_of_zeros_is_the_anchor_and_the_background_is_not_counted() -> None:
    # Row 48 is the first of the second grid, 2x2: a cell's middle is at 0.25, its scale 0.95.
    items = decode(ssd_arrays((48, 2, 2.0, [0, 0, 0, 0])), SSD, anchors=ANCHORS)
    score = round(1 / (1 + math.exp(-2)), 6)
    assert items == [{"label": "class 1", "index": 1, "score": score, "box": [0, 0, 0.725, 0.725]}]


def test_an_encoding_moves_and_stretches_its_anchor() -> None:
    # The anchor is at (0.125, 0.125), 0.1 high and wide: moved by half of it down, twice as wide.
    items = decode(ssd_arrays((0, 1, 2.0, [5, 0, 0, 5 * math.log(2)])), SSD, anchors=ANCHORS)
    assert items[0]["box"] == pytest.approx([0.125, 0.025, 0.225, 0.225], abs=1e-6)
    items = decode(
        ssd_arrays((0, 1, 2.0, [0.5, 0, 0, math.log(2)])), SSD, anchors=ANCHORS, scales=[1, 1, 1, 1]
    )
    assert items[0]["box"] == pytest.approx([0.125, 0.025, 0.225, 0.225], abs=1e-6)


def test_softmax_takes_the_background_into_account() -> None:
    items = decode(ssd_arrays((0, 1, 6.0, [0] * 4)), SSD, anchors=ANCHORS, activation="softmax")
    total = math.exp(6) + math.exp(4) + 2 * math.exp(-8)
    assert [item["score"] for item in items] == [pytest.approx(math.exp(6) / total, abs=1e-6)]
    assert decode(ssd_arrays((0, 1, 3.0, [0] * 4)), SSD, anchors=ANCHORS, activation="softmax") == []


def test_without_a_background_every_class_counts() -> None:
    items = decode(ssd_arrays(), SSD, anchors=ANCHORS, background=False, max_items=200)
    assert {item["index"] for item in items} == {0}
    labels = Labels(tuple("abcd"))
    with pytest.raises(ModelInvalid, match="4 labels for 3 classes"):
        detection.build(detection.Options(anchors=ANCHORS), Signature((picture(),), SSD), labels)
    detection.build(
        detection.Options(anchors=ANCHORS, background=False), Signature((picture(),), SSD), labels
    )


def test_rows_of_one_object_are_one_detection() -> None:
    arrays = ssd_arrays((48, 1, 2.0, [0] * 4), (51, 1, 3.0, [0, -4, 0, 0]), (49, 2, 1.0, [0] * 4))
    found = decode(arrays, SSD, anchors=ANCHORS)
    assert [item["index"] for item in found] == [0, 1]
    assert len(decode(arrays, SSD, anchors=ANCHORS, iou=0.95)) == 3
    assert len(decode(arrays, SSD, anchors=ANCHORS, iou=0.3, class_agnostic=True)) == 1


def test_another_number_of_anchors_is_refused_with_both_numbers() -> None:
    with pytest.raises(
        ModelInvalid, match="make 6 anchors for an input of 64x64, the model has 60"
    ) as caught:
        decode(ssd_arrays(), SSD, head="ssd_raw", anchors=Anchors(strides=(64,), reduce_lowest=False))
    assert "anchors" in caught.value.hint


@pytest.mark.parametrize(
    ("given", "roles"),
    [
        (floats((1, 9, 4), (1, 9, 5)), Roles((1,), (0,))),
        (floats((1, 9, 5), (1, 9, 4)), Roles((0,), (1,))),
        (floats((1, 9, 4), (1, 9, 4)), Roles((1,), (0,))),
        (floats((1, 9, 4), (1, 9, 4), names=["scores", "b"]), Roles((0,), (1,))),  # type: ignore[arg-type]
        (floats((1, 9, 4), (1, 9, 4), names=["a", "raw_boxes"]), Roles((0,), (1,))),  # type: ignore[arg-type]
        (floats((1, 9, 1), (1, 9, 16)), Roles((0,), (1,))),
        (floats((1, 9, 16), (1, 9, 1)), Roles((1,), (0,))),
        (floats((1, 9, 16), (1, 9, 2)), None),
        (floats((1, 9, 4), (1, 8, 5)), None),
        (floats((1, 9, 1), (1, 9, 3)), None),
        (floats((1, 9, 4)), None),
    ],
)
def test_boxes_and_scores_are_told_apart(given: tuple[TensorSpec, ...], roles: Roles | None) -> None:
    assert find_roles(given) == roles


def test_blazeface_has_boxes_in_pixels_from_its_anchors_with_x_first() -> None:
    anchors = {
        "strides": [8, 16, 16, 16],
        "min_scale": 0.1484375,
        "max_scale": 0.75,
        "aspect_ratios": [1.0],
        "fixed_size": True,
        "reduce_lowest": False,
    }
    boxes = np.zeros((1, 896, 16), np.float32)
    scores = np.full((1, 896, 1), -9, np.float32)
    scores[0, 0] = 1
    boxes[0, 0, :4] = [60, 28, 64, 32]  # from the middle of the first cell, at 4 pixels
    items = decode(
        [boxes, scores], floats((1, 896, 16), (1, 896, 1)), 128, encoding="blazeface", anchors=anchors
    )
    assert [item["box"] for item in items] == [[0.125, 0.25, 0.375, 0.75]]
    assert items[0]["index"] == 0


LEVELS = [(16, 16), (8, 8), (4, 4), (2, 2), (1, 1)]  # of a picture of 128x128
EFFICIENT = [(1, *grid, 9 * 2) for grid in LEVELS] + [(1, *grid, 9 * 4) for grid in LEVELS]


def efficient_arrays() -> list[Array]:
    arrays = [np.full(shape, -9 if shape[3] == 18 else 0, np.float32) for shape in EFFICIENT]
    arrays[3][0, 1, 1, 2 * 5 + 1] = 1.0  # level 6, last cell, second octave, third ratio, class 1
    arrays[8][0, 1, 1, 4 * 5 : 4 * 6] = [-1, 0, math.log(0.5), 0]
    return arrays


def test_the_levels_of_efficientdet_are_read_by_their_anchors() -> None:
    items = decode(efficient_arrays(), floats(*EFFICIENT), 128, anchors={"scale": 0.5})
    size = 0.5 * 64 * 2 ** (1 / 3)
    height, width = size * math.sqrt(2), size / math.sqrt(2)
    middle = 96 - height
    box = [middle - height / 4, 96 - width / 2, middle + height / 4, 96 + width / 2]
    assert [item["index"] for item in items] == [1]
    assert items[0]["score"] == pytest.approx(1 / (1 + math.exp(-1)), abs=1e-6)
    assert items[0]["box"] == pytest.approx([number / 128 for number in box], abs=1e-5)


def test_all_levels_in_a_row_say_the_same() -> None:
    arrays = efficient_arrays()
    wanted = decode(arrays, floats(*EFFICIENT), 128, max_items=9, min_score=0.00001)
    joined: list[Array] = [
        np.concatenate([array.reshape(1, -1, numbers) for array in arrays[at : at + 5]], axis=1)
        for at, numbers in ((0, 2), (5, 4))
    ]
    given = floats(*(array.shape for array in joined))
    assert len(wanted) == 9
    assert decode(joined, given, 128, max_items=9, min_score=0.00001) == wanted
    assert decode(joined[::-1], given[::-1], 128, max_items=9, min_score=0.00001) == wanted


def test_levels_may_come_in_any_order() -> None:
    arrays, given = efficient_arrays(), floats(*EFFICIENT)
    wanted = decode(arrays, given, 128)
    order = [8, 1, 0, 9, 2, 7, 3, 5, 4, 6]
    assert decode([arrays[at] for at in order], tuple(given[at] for at in order), 128) == wanted
    assert find_levels(given[:8], (128, 128)) is None
    assert find_levels(given, (256, 256)) is None


def test_four_classes_of_efficientdet_are_told_from_boxes_by_name_or_order() -> None:
    shapes = [(1, *grid, 36) for grid in LEVELS]
    assert find_levels(floats(*shapes, *shapes), (128, 128)) == Roles((0, 1, 2, 3, 4), (5, 6, 7, 8, 9))
    named = tuple(
        TensorSpec(f"{word}_net/{at}", "float32", shape)
        for word in ("box", "class")
        for at, shape in enumerate(shapes)
    )
    assert find_levels(named, (128, 128)) == Roles((5, 6, 7, 8, 9), (0, 1, 2, 3, 4))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_left_out_and_garbage_is_a_rejected_frame(bad: float) -> None:
    arrays = ssd_arrays((0, 1, bad, [0] * 4), (5, 1, 2.0, [bad, 0, 0, 0]), (30, 2, 2.0, [0] * 4))
    assert [item["index"] for item in decode(arrays, SSD, anchors=ANCHORS)] == [1]
    with pytest.raises(InputRejected, match="none of the boxes of its 1 detections is finite"):
        decode(ssd_arrays((5, 1, 2.0, [bad, 0, 0, 0])), SSD, anchors=ANCHORS)
    with pytest.raises(InputRejected, match="none of its 240 scores is finite"):
        decode([arrays[0], np.full_like(arrays[1], bad)], SSD, anchors=ANCHORS)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", range(4))
def test_an_encoding_that_is_not_finite_is_no_box_and_one_that_is_huge_is_all_of_the_picture(
    at: int, bad: float
) -> None:
    encoding = [0.0] * 4
    encoding[at] = bad
    with pytest.raises(InputRejected, match="none of the boxes"):
        decode(ssd_arrays((5, 1, 2.0, encoding)), SSD, anchors=ANCHORS)
    huge = ssd_arrays((5, 1, 2.0, [0, 0, 3e38, 3e38]), (6, 2, 2.0, [3e38, 0, 0, 0]))
    assert [item["box"] for item in decode(huge, SSD, anchors=ANCHORS)] == [[0, 0, 1, 1]]


def test_the_anchors_are_those_of_the_options() -> None:
    assert len(ssd(ANCHORS, (SIDE, SIDE))) == ROWS
    assert len(efficientdet(4.0, (128, 128))) == 9 * 341
