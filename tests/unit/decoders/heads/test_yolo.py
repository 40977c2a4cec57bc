"""Detection by YOLO's heads: rows and raw maps, in pixels and in shares."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from agent.decoders import detection
from agent.errors import InputRejected, ModelInvalid
from agent.labels import Labels
from agent.types import FrameInfo, Signature, TensorSpec

if TYPE_CHECKING:
    from agent.types import Array

FRAME = FrameInfo(seq=0, captured_ns=0, height=480, width=640)
HEIGHT, WIDTH = 64, 96
V8 = 8 * 12 + 4 * 6 + 2 * 3
V5 = 3 * V8
CLASSES = 3
PICTURE = TensorSpec("image", "float32", (1, HEIGHT, WIDTH, 3))
PIXELS = np.array([WIDTH, HEIGHT, WIDTH, HEIGHT], np.float32)


def decode(arrays: list[Array], picture: TensorSpec = PICTURE, **options: Any) -> list[Any]:
    given = tuple(TensorSpec(f"out{at}", "float32", array.shape) for at, array in enumerate(arrays))
    return list(
        detection.build(detection.Options(**options), Signature((picture,), given), Labels())
        .decode(arrays, FRAME)
        .items
    )


def rows(count: int, numbers: int, *given: tuple[int, list[float]]) -> Array:
    """Give (1, count, numbers) with these rows, boxes in shares."""
    table = np.zeros((1, count, numbers), np.float32)
    table[0, :, :4] = 0.5
    for at, row in given:
        table[0, at] = row
    return table


def in_pixels(table: Array) -> Array:
    return np.concatenate((table[..., :4] * PIXELS, table[..., 4:]), axis=2)


EIGHT = rows(
    V8,
    4 + CLASSES,
    (3, [0.5, 0.25, 0.25, 0.5, 0.1, 0.875, 0.5]),
    (9, [0.5, 0.25, 0.25, 0.4375, 0, 0.75, 0]),
    (70, [0.75, 0.75, 0.5, 0.25, 0, 0, 0.625]),
)
FIVE = rows(
    V5,
    5 + CLASSES,
    (3, [0.5, 0.25, 0.25, 0.5, 1, 0.1, 0.875, 0.5]),
    (9, [0.5, 0.25, 0.25, 0.4375, 0.75, 0, 1, 0]),
    (70, [0.75, 0.75, 0.5, 0.25, 0.625, 0, 0, 1]),
    (71, [0.75, 0.75, 0.5, 0.25, 0.625, 0.5, 0.5, 0.5]),
)
FOUND = [
    {"label": "class 1", "index": 1, "score": 0.875, "box": [0, 0.375, 0.5, 0.625]},
    {"label": "class 2", "index": 2, "score": 0.625, "box": [0.625, 0.5, 0.875, 1]},
]


@pytest.mark.parametrize("table", [EIGHT, EIGHT.transpose(0, 2, 1), in_pixels(EIGHT), FIVE, in_pixels(FIVE)])
def test_rows_are_read_whichever_way_they_lie_and_in_whichever_unit(table: Array) -> None:
    assert decode([np.ascontiguousarray(table)]) == FOUND


@pytest.mark.parametrize("head", ["yolov5", "yolov8"])
def test_a_named_unit_is_not_guessed(head: str) -> None:
    table = FIVE if head == "yolov5" else EIGHT
    assert decode([table], head=head, coordinates="shares") == FOUND
    assert decode([in_pixels(table)], head=head, coordinates="pixels") == FOUND
    tiny = decode([table], head=head, coordinates="pixels")
    assert tiny[0]["box"][2] == pytest.approx(0.5 / HEIGHT, abs=1e-6)


def test_a_number_that_is_infinite_does_not_change_the_unit() -> None:
    table = EIGHT.copy()
    table[0, 100, 0] = np.inf
    assert decode([table]) == FOUND


@pytest.mark.parametrize(("top", "divided"), [(1.0, False), (2.0, False), (WIDTH, True)])
def test_what_a_quantized_output_can_hold_tells_the_unit(top: float, divided: bool) -> None:
    spec = TensorSpec("out", "uint8", EIGHT.shape, (top / 255,), (0,))
    stored = np.zeros(EIGHT.shape, np.uint8)
    stored[0, 3] = [128, 64, 64, 64, 0, 255, 0]
    built = detection.build(detection.Options(min_score=0), Signature((PICTURE,), (spec,)), Labels())
    box = built.decode([stored], FRAME).items[0]["box"]
    shares = np.array([32, 96, 96, 160]) * top / 255
    wanted = shares / [HEIGHT, WIDTH, HEIGHT, WIDTH] if divided else shares
    assert box == pytest.approx(wanted.clip(max=1), abs=1e-5)


def test_iou_and_class_agnostic_say_what_is_left_out() -> None:
    assert [item["score"] for item in decode([EIGHT], iou=0.9)] == [0.875, 0.75, 0.625]
    table = EIGHT.copy()
    table[0, 9, 4:] = [0.75, 0, 0]
    assert [item["index"] for item in decode([table])] == [1, 0, 2]
    assert decode([table], class_agnostic=True) == FOUND


def test_pixels_need_the_size_of_the_input() -> None:
    with pytest.raises(ModelInvalid, match="takes no picture") as caught:
        decode([EIGHT], TensorSpec("x", "float32", (1, 9)), head="yolov8", coordinates="pixels")
    assert 'coordinates = "shares"' in caught.value.hint
    assert decode([EIGHT], TensorSpec("x", "float32", (1, 9)), head="yolov8") == FOUND


def test_an_input_with_channels_first_is_a_picture_too() -> None:
    assert decode([in_pixels(EIGHT)], TensorSpec("x", "float32", (1, 3, HEIGHT, WIDTH))) == FOUND


def test_objectness_times_the_share_is_the_score() -> None:
    table = rows(V5, 6, (0, [0.5, 0.5, 0.5, 0.5, 0.75, 0.5]))
    assert [item["score"] for item in decode([table], min_score=0.3)] == [0.375]
    assert decode([table], min_score=0.38) == []


def logit(share: float) -> float:
    return math.log(share / (1 - share))


def maps(sizes: tuple[tuple[int, int], ...] = ((8, 12), (4, 6), (2, 3))) -> list[Array]:
    """Give raw maps with one object, in the second map at row 2, column 4, by the second of its anchors."""
    arrays = [np.full((1, *size, 3 * (5 + CLASSES)), -9, np.float32) for size in sizes]
    numbers = [logit(0.5), logit(0.75), logit(0.25), logit(0.5), logit(0.875), -9, logit(0.96), -9]
    arrays[1][0, 2, 4, 8:16] = numbers
    return arrays


def test_raw_maps_are_decoded_by_cell_and_anchor() -> None:
    items = decode(maps(), head="yolov5")
    x, y = (2 * 0.5 - 0.5 + 4) / 6, (2 * 0.75 - 0.5 + 2) / 4
    width, height = 0.25 * 62 / WIDTH, 1 * 45 / HEIGHT
    assert [item["index"] for item in items] == [1]
    assert items[0]["score"] == pytest.approx(0.875 * 0.96, abs=1e-5)
    assert items[0]["box"] == pytest.approx([y - height / 2, x - width / 2, 1, x + width / 2], abs=1e-5)


def test_raw_maps_have_the_anchors_of_the_options_and_any_order() -> None:
    wanted = decode(maps(), head="yolov5")
    assert decode([maps()[at] for at in (2, 0, 1)], head="yolov5") == wanted
    sizes = [[[1, 1]] * 3, [[1, 1], [24, 16], [1, 1]], [[1, 1]] * 3]
    box = decode(maps(), head="yolov5", anchors={"sizes": sizes})[0]["box"]
    assert box[3] - box[1] == pytest.approx(0.25 * 24 / WIDTH, abs=1e-5)


def test_raw_maps_are_refused_until_the_head_is_named_because_other_yolos_look_the_same() -> None:
    with pytest.raises(ModelInvalid, match="shapes alone do not tell") as caught:
        decode(maps())
    assert 'head = "yolov5"' in caught.value.hint


TEN = rows(300, 6, (0, [0.375, 0, 0.625, 0.5, 0.875, 1]), (7, [0.5, 0.625, 1, 0.875, 0.625, 2]))


@pytest.mark.parametrize("table", [TEN, in_pixels(TEN)])
def test_rows_that_are_done_are_taken_as_they_are(table: Array) -> None:
    assert decode([table]) == FOUND
    overlapping = table.copy()
    overlapping[0, 1] = overlapping[0, 0]
    assert len(decode([overlapping])) == 3
    assert len(decode([overlapping], max_items=2)) == 2


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("across", [False, True])
@pytest.mark.parametrize("table", [EIGHT, FIVE, TEN])
def test_what_is_not_finite_is_left_out_and_garbage_is_a_rejected_frame(
    table: Array, across: bool, bad: float
) -> None:
    def turned(some: Array) -> list[Array]:
        return [np.ascontiguousarray(some.transpose(0, 2, 1)) if across and table is EIGHT else some]

    some = table.copy()
    some[0, : 5 if table is TEN else 30, 1] = bad
    some[0, 40:50, 4] = bad
    assert decode(turned(some)) == FOUND[1:]
    garbage = r"scores is finite|detections is finite|has finite numbers"
    for numbers in (slice(None), slice(4), slice(4, None), slice(5 if table is FIVE else 4, None)):
        some = table.copy()
        some[..., numbers] = bad
        with pytest.raises(InputRejected, match=garbage):
            decode(turned(some))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_raw_maps_of_garbage_are_a_rejected_frame(bad: float) -> None:
    arrays = maps()
    arrays[2][:] = bad
    with pytest.raises(InputRejected, match="none of its 18 scores is finite"):
        decode(arrays, head="yolov5")
    arrays = maps()
    arrays[1][0, 2, 4, 9] = bad
    with pytest.raises(InputRejected, match="boxes of its 1 detections"):
        decode(arrays, head="yolov5")


@pytest.mark.parametrize("table", [EIGHT, FIVE])
def test_numbers_as_large_as_float32_holds_are_a_box_like_any_other(table: Array) -> None:
    some = table.copy()
    some[0, 70, 2:4] = 3e38
    assert decode([some], coordinates="shares")[1]["box"] == [0, 0, 1, 1]


def test_of_many_rows_the_best_thousand_are_compared_and_ties_go_by_position() -> None:
    table = np.zeros((1, 5, 8400), np.float32)
    table[0, :4] = 0.5
    table[0, 4] = 0.75
    table[0, 0, 1200:] = 0.25
    picture = TensorSpec("image", "float32", (1, 640, 640, 3))
    assert [item["box"] for item in decode([table], picture)] == [[0.25, 0.25, 0.75, 0.75]]
    table[0, 4, 8000:] = 0.875
    assert [item["score"] for item in decode([table], picture)] == [0.875, 0.75]
