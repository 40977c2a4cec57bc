"""Pictures that a model makes."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from pydantic import ValidationError

from agent.decoders import image
from agent.errors import InputRejected, ModelInvalid
from agent.labels import Labels
from agent.types import FrameInfo, Signature, TensorSpec

if TYPE_CHECKING:
    from agent.types import Array

FRAME = FrameInfo(seq=0, captured_ns=0, height=480, width=640)


def decode(values: Array, dtype: str = "float32", scale: float = 0.0, **options: Any) -> dict[str, Any]:
    quantization: dict[str, Any] = {"scale": (scale,), "zero_point": (0,)} if scale else {}
    spec = TensorSpec("out", dtype, values.shape, **quantization)
    decoder = image.build(image.Options(**options), Signature((), (spec,)), Labels())
    result = decoder.decode([values.astype(dtype)], FRAME)
    assert result.kind == "image"
    [item] = result.items
    return dict(item)


def pixels(item: dict[str, Any]) -> Array:
    read = cv2.imdecode(np.frombuffer(base64.b64decode(item["png"]), np.uint8), cv2.IMREAD_UNCHANGED)
    assert read is not None
    return read


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0, 1, [0, 0, 128, 255, 255]),
        (-1, 1, [64, 128, 191, 255, 255]),
        (0, 255, [0, 0, 0, 1, 2]),
    ],
)
def test_the_range_says_what_is_black_and_white_and_what_lies_beyond_is_clipped(
    low: float, high: float, wanted: list[int]
) -> None:
    values = np.array([-0.5, 0.0, 0.5, 1.0, 2.0]).reshape(1, 1, 5, 1)
    item = decode(values, range=(low, high))
    assert (item["size"], item["channels"], item["scaled"]) == ([1, 5], 1, 1)
    assert pixels(item)[0].tolist() == wanted


def test_colours_are_told_in_the_order_that_the_model_has() -> None:
    red = np.zeros((1, 2, 2, 3))
    red[..., 0] = 1
    assert pixels(decode(red))[0, 0].tolist() == [0, 0, 255]  # OpenCV's order is blue, green, red
    assert pixels(decode(red, color="bgr"))[0, 0].tolist() == [255, 0, 0]


def test_quantized_pixels_are_dequantized_once() -> None:
    stored = np.arange(256).reshape(1, 16, 16, 1)
    assert pixels(decode(stored, "uint8", 1 / 255)).reshape(-1).tolist() == list(range(256))
    assert pixels(decode(stored, "uint8", range=(0, 255))).reshape(-1).tolist() == list(range(256))


def test_a_picture_that_is_too_large_is_halved_until_it_is_not() -> None:
    noise = np.random.default_rng(0).random((1, 300, 200, 3))
    item = decode(noise)
    assert (item["size"], item["channels"], item["scaled"]) == ([300, 200], 3, 4)
    assert pixels(item).shape == (75, 50, 3)
    assert len(item["png"]) <= image.MAX_BASE64
    thin = decode(np.random.default_rng(0).random((1, 1, 100_000, 1)))
    assert pixels(thin).shape == (1, 100_000 // thin["scaled"])


def test_what_is_not_finite_is_black_and_a_picture_of_that_is_rejected() -> None:
    values = np.array([np.nan, 1.0, np.inf, -np.inf]).reshape(1, 1, 4, 1)
    assert pixels(decode(values))[0].tolist() == [0, 255, 0, 0]
    with pytest.raises(InputRejected, match="none of its 4 numbers is finite"):
        decode(np.full((1, 1, 4, 1), np.nan))


@pytest.mark.parametrize(
    "shape",
    [
        *((1, 4, 4), (1, 4, 4, 2), (2, 4, 4, 3), (1, 0, 4, 3)),
        *((1, 4096, 4096, 1), (1, 1, 2_000_000, 1), (1, 2_000_000, 1, 3)),
    ],
)
def test_what_is_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ModelInvalid, match="the task wants"):
        image.build(image.Options(), Signature((), (TensorSpec("out", "float32", shape),)), Labels())


@pytest.mark.parametrize("bounds", [(1, 0), (0, 0), (0, float("nan")), (0, float("inf"))])
def test_a_range_that_does_not_rise_is_refused(bounds: tuple[float, float]) -> None:
    with pytest.raises(ValidationError):
        image.Options(range=bounds)
