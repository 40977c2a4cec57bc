"""Which head a model has, and what all heads keep to, whatever the outputs hold."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from agent.decoders import detection
from agent.decoders.heads import yolov8
from agent.decoders.heads.choosing import HEADS, choose
from agent.errors import InputRejected, ModelInvalid
from agent.labels import Labels
from agent.tensors import dequantize, quantize
from agent.types import FrameInfo, Signature, TensorSpec

if TYPE_CHECKING:
    from agent.types import Array

Shapes = list[tuple[int, ...]]

FRAME = FrameInfo(seq=0, captured_ns=0, height=480, width=640)
SIDE = 32  # 16 + 4 + 1 cells for the YOLOs, 12 + 5 * 6 anchors for SSD
_LEVELS = (16, 8, 4, 2, 1)
_EFFICIENT: Shapes = [(1, side, side, numbers) for numbers in (18, 36) for side in _LEVELS]
EXAMPLES: dict[str, tuple[Shapes, int, dict[str, Any]]] = {
    "ssd": ([(1, 5, 4), (1, 5), (1, 5), (1,)], SIDE, {}),
    "centers": ([(1, 4, 5, 6), (1, 4, 5, 4)], SIDE, {}),
    "ssd_raw": ([(1, 42, 4), (1, 42, 4)], SIDE, {}),
    "ssd_raw softmax": ([(1, 42, 4), (1, 42, 4)], SIDE, {"activation": "softmax"}),
    "efficientdet": ([(1, 3069, 3), (1, 3069, 4)], 128, {}),
    "efficientdet levels": (_EFFICIENT, 128, {}),
    "yolov5": ([(1, 63, 7)], SIDE, {}),
    "yolov5 maps": ([(1, side, side, 21) for side in (4, 2, 1)], SIDE, {"head": "yolov5"}),
    "yolov8": ([(1, 7, 21)], SIDE, {}),
    "yolov8 rows": ([(1, 21, 7)], SIDE, {}),
    "yolov10": ([(1, 300, 6)], SIDE, {}),
}
SMALL = [name for name in EXAMPLES if not name.startswith("efficientdet")]


def signature(name: str, dtype: str = "float32", **quantization: Any) -> Signature:
    shapes, side, _ = EXAMPLES[name]
    picture = TensorSpec("image", "uint8", (1, side, side, 3))
    return Signature(
        (picture,),
        tuple(TensorSpec(f"out:{at}", dtype, shape, **quantization) for at, shape in enumerate(shapes)),
    )


def decode(name: str, arrays: list[Array], given_signature: Signature, **options: Any) -> list[Any]:
    built = detection.build(detection.Options(**{**EXAMPLES[name][2], **options}), given_signature, Labels())
    return list(built.decode(arrays, FRAME).items)


def outcome(
    name: str, arrays: list[Array], given_signature: Signature, **options: Any
) -> tuple[list[Any], str]:
    """Give the items, or none and what the frame was rejected for."""
    try:
        return decode(name, arrays, given_signature, **options), ""
    except InputRejected as error:
        return [], str(error)


def check(items: list[Any], min_score: float, most: int) -> None:
    json.dumps(items, allow_nan=False)
    assert len(items) <= most
    assert [one["score"] for one in items] == sorted((one["score"] for one in items), reverse=True)
    for item in items:
        top, left, bottom, right = item["box"]
        assert 0 <= top < bottom <= 1
        assert 0 <= left < right <= 1
        assert min_score <= item["score"] <= 1
        assert {type(item["score"]), type(item["index"]), type(top)} == {float, int}


FLOATS = st.floats(width=32) | st.sampled_from([0.0, 0.5, 1.0, float("nan"), float("inf"), -float("inf")])


@pytest.mark.parametrize("name", EXAMPLES)
@given(data=st.data(), min_score=st.floats(0, 1), most=st.integers(1, 200), agnostic=st.booleans())
def test_no_floats_at_all_bring_out_what_is_no_detection(
    name: str, data: st.DataObject, min_score: float, most: int, agnostic: bool
) -> None:
    shapes = EXAMPLES[name][0]
    drawn = [data.draw(hnp.arrays(np.float32, 60, elements=FLOATS)) for _ in shapes]
    arrays: list[Array] = [np.resize(array, shape) for array, shape in zip(drawn, shapes, strict=True)]
    options = {"min_score": min_score, "max_items": most, "class_agnostic": agnostic}
    items, error = outcome(name, arrays, signature(name), **options)
    check(items, min_score, most)
    assert not error or any(not np.isfinite(array).all() for array in arrays)


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "float16"])
@given(data=st.binary(min_size=512, max_size=512), scale=st.sampled_from([1 / 256, 0.1, 3.0]))
def test_no_stored_numbers_at_all_bring_out_what_is_no_detection(
    name: str, dtype: str, data: bytes, scale: float
) -> None:
    quantization = {} if dtype == "float16" else {"scale": (scale,), "zero_point": (3,)}
    numbers = np.frombuffer(data, dtype)
    if dtype == "float16":
        numbers = np.nan_to_num(numbers, nan=0.5, posinf=9, neginf=-9)
    arrays: list[Array] = [np.resize(numbers, shape) for shape in EXAMPLES[name][0]]
    items, error = outcome(name, arrays, signature(name, dtype, **quantization), min_score=0.1)
    check(items, 0.1, 25)
    assert not error


def plausible(name: str) -> list[Array]:
    """Give outputs of numbers in [0, 1], no two of them equal: float32."""
    draw = np.random.default_rng(len(name))
    arrays: list[Array] = []
    for shape in EXAMPLES[name][0]:
        array = draw.permutation(np.linspace(0.02, 0.98, int(np.prod(shape)))).reshape(shape)
        arrays.append(array.astype(np.float32))
    if name == "ssd":
        arrays[0][:] = [0.1, 0.2, 0.6, 0.7]
        arrays[3][:] = 0.99
    return arrays


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("zero", [-1, 0, 1])
def test_int8_uint8_and_floats_of_the_same_numbers_give_the_same_detections(name: str, zero: int) -> None:
    step = {"scale": (4 / 255,)}
    low = signature(name, "int8", **step, zero_point=(-64 + zero,))
    high = signature(name, "uint8", **step, zero_point=(64 + zero,))
    stored = [quantize(array, spec) for array, spec in zip(plausible(name), low.outputs, strict=True)]
    shifted = [(array.astype(np.int16) + 128).astype(np.uint8) for array in stored]
    real = [dequantize(array, spec) for array, spec in zip(stored, low.outputs, strict=True)]
    wanted = decode(name, real, signature(name), min_score=0.1, coordinates="shares")
    assert wanted
    assert decode(name, stored, low, min_score=0.1, coordinates="shares") == wanted
    assert decode(name, shifted, high, min_score=0.1, coordinates="shares") == wanted


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_step_of_quantization_moves_the_best_score_by_no_more_than_that(name: str) -> None:
    step = 1 / 256
    low = signature(name, "int8", scale=(step,), zero_point=(-128,))
    stored = [quantize(array, spec) for array, spec in zip(plausible(name), low.outputs, strict=True)]
    best = [
        decode(name, arrays, some, min_score=0, max_items=1, coordinates="shares")[0]["score"]
        for arrays, some in ((stored, low), (plausible(name), signature(name)))
    ]
    assert best[0] == pytest.approx(best[1], abs=step)


@pytest.mark.parametrize("name", SMALL)
def test_scales_that_run_along_a_dimension_are_undone_once(name: str) -> None:
    some = signature(name, "int8", scale=(1 / 256,), zero_point=(-128,))
    along = Signature(
        some.inputs,
        tuple(
            TensorSpec(
                spec.name,
                spec.dtype,
                spec.shape,
                spec.scale * spec.shape[-1],
                spec.zero_point * spec.shape[-1],
                len(spec.shape) - 1,
            )
            for spec in some.outputs
        ),
    )
    stored = [quantize(array, spec) for array, spec in zip(plausible(name), some.outputs, strict=True)]
    assert decode(name, stored, along, min_score=0) == decode(name, stored, some, min_score=0) != []


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_shapes_and_the_size_of_the_input_tell_the_head(name: str) -> None:
    head, _, more = name.partition(" ")
    told = choose(detection.Options(), signature(name), Labels()) if more != "maps" else None
    named = choose(detection.Options(head=head), signature(name), Labels())
    assert told is None or type(told) is type(named)


@pytest.mark.parametrize(
    ("shapes", "side", "heads"),
    [
        ([(1, 84, 8400)], 0, ["yolov5", "yolov8"]),
        ([(1, 84, 8400)], 320, ["yolov5", "yolov8"]),
        ([(1, 50, 6)], 320, ["yolov5", "yolov8", "yolov10"]),
        ([(1, 300, 6)], 0, ["yolov5", "yolov8", "yolov10"]),
        ([(1, 100, 4), (1, 100, 3)], 320, ["ssd_raw"]),
        ([(1, 40, 40, 255), (1, 20, 20, 255), (1, 10, 10, 255)], 320, ["yolov5"]),
    ],
)
def test_shapes_that_do_not_tell_are_refused_with_the_heads_to_choose_from(
    shapes: Shapes, side: int, heads: list[str]
) -> None:
    inputs = (TensorSpec("image", "uint8", (1, side, side, 3)),) if side else ()
    outputs = tuple(TensorSpec(f"out{at}", "float32", shape) for at, shape in enumerate(shapes))
    with pytest.raises(ModelInvalid, match="shapes alone do not tell") as caught:
        choose(detection.Options(), Signature(inputs, outputs), Labels())
    assert " or ".join(f'head = "{name}"' for name in heads) in caught.value.hint
    assert all(str(list(shape)) in caught.value.problem for shape in shapes)


@pytest.mark.parametrize("name", HEADS)
def test_a_head_that_is_named_must_be_the_one_there(name: str) -> None:
    outputs = (TensorSpec("odd", "float32", (3, 7)),)
    with pytest.raises(ModelInvalid) as caught:
        choose(detection.Options(head=name), Signature((), outputs), Labels())
    assert HEADS[name].WANTED in caught.value.problem
    assert "odd float32[3, 7]" in caught.value.problem


@pytest.mark.parametrize("name", ["centers", "efficientdet", "efficientdet levels", "yolov5", "yolov8"])
def test_labels_must_be_as_many_as_classes(name: str) -> None:
    with pytest.raises(ModelInvalid, match="9 labels for"):
        choose(detection.Options(head=name.partition(" ")[0]), signature(name), Labels(tuple("abcdefghi")))


@pytest.mark.parametrize(
    ("shape", "size", "labels", "rows"),
    [
        ((1, 84, 8400), (640, 640), 80, 2),
        ((1, 8400, 84), (640, 640), 0, 1),
        ((1, 84, 84), (64, 64), 0, 1),
        ((1, 84, 21), (32, 32), 0, 2),  # more classes than cells: the size tells
        ((1, 84, 21), None, 80, 2),  # or the labels
        ((1, 21, 84), None, 80, 1),
        ((1, 84, 21), None, 0, 1),
        ((1, 4, 21), None, 0, None),
        ((1, 2, 3, 4), None, 0, None),
    ],
)
def test_rows_and_classes_of_yolov8_are_told_apart(
    shape: tuple[int, ...], size: tuple[int, int] | None, labels: int, rows: int | None
) -> None:
    assert yolov8.find_roles([TensorSpec("o", "float32", shape)], size, labels) == rows
