"""From a frame to the input tensor: pictures of any kind, and arrays that are tensors already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from agent.errors import InputRejected, ManifestInvalid, ModelInvalid
from agent.manifest import Pre
from agent.pipeline.preprocess import Preprocessor
from agent.tensors import quantize
from agent.types import Frame, TensorSpec

if TYPE_CHECKING:
    from agent.types import Array

UINT8 = TensorSpec("picture", "uint8", (1, 12, 16, 3), (1 / 128,), (128,))


def picture(height: int = 40, width: int = 50, channels: int = 3) -> Array:
    shape = (height, width, channels) if channels > 1 else (height, width)
    return np.random.default_rng(5).integers(0, 256, shape, np.uint8)


def like(dtype: str, channels: int = 3) -> TensorSpec:
    parameters: dict[str, tuple[float, int]] = {
        "uint8": (1 / 255, 0),
        "int8": (1 / 128, -7),
        "int16": (1 / 32767, 0),
    }
    scale = parameters.get(dtype)
    shape = (1, 12, 16, channels)
    return TensorSpec("x", dtype, shape, (scale[0],), (scale[1],)) if scale else TensorSpec("x", dtype, shape)


def fill(spec: TensorSpec, data: Array, pre: Pre | None = None) -> Array:
    into = np.full(spec.shape, 77, spec.dtype)
    Preprocessor(spec, pre or Pre())(Frame(0, 0, data), into)
    return into


def reference(data: Array, code: int | None) -> Array:
    """What the documented order gives, written plainly: stretch, then convert."""
    small = cv2.resize(data, (16, 12), interpolation=cv2.INTER_LINEAR)
    return small if code is None else cv2.cvtColor(small, code)


@pytest.mark.parametrize("size", [(40, 50), (12, 16), (6, 8), (480, 640), (12, 50)])
def test_a_picture_of_any_size_is_stretched_and_its_channels_put_in_order(size: tuple[int, int]) -> None:
    data = picture(*size)
    assert np.array_equal(fill(UINT8, data)[0], reference(data, cv2.COLOR_BGR2RGB))
    assert np.array_equal(fill(UINT8, data, Pre(color="bgr"))[0], reference(data, None))


@pytest.mark.parametrize("size", [(40, 50), (12, 16)])
@pytest.mark.parametrize(
    ("channels", "color", "code"),
    [
        (1, "rgb", cv2.COLOR_GRAY2RGB),
        (1, "bgr", cv2.COLOR_GRAY2BGR),
        (4, "rgb", cv2.COLOR_BGRA2RGB),
        (4, "bgr", cv2.COLOR_BGRA2BGR),
    ],
)
def test_gray_and_transparent_pictures_are_understood(
    size: tuple[int, int], channels: int, color: Any, code: int
) -> None:
    data = picture(*size, channels=channels)
    assert np.array_equal(fill(UINT8, data, Pre(color=color))[0], reference(data, code))


@pytest.mark.parametrize("size", [(40, 50), (12, 16)])
@pytest.mark.parametrize(("channels", "code"), [(1, None), (3, cv2.COLOR_BGR2GRAY), (4, cv2.COLOR_BGRA2GRAY)])
@pytest.mark.parametrize("color", ["gray", "rgb"])
def test_an_input_of_one_channel_gets_gray(
    size: tuple[int, int], channels: int, code: int | None, color: Any
) -> None:
    data = picture(*size, channels=channels)
    found = fill(like("uint8", channels=1), data, Pre(color=color))
    assert np.array_equal(found[0, :, :, 0], reference(data, code))


def test_a_picture_with_one_channel_in_a_third_dimension_is_gray() -> None:
    data = picture(channels=1)
    assert np.array_equal(fill(UINT8, data[:, :, np.newaxis]), fill(UINT8, data))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "int32", "float16", "float32"])
@pytest.mark.parametrize(
    ("mean", "std"), [((127.5,), (127.5,)), ((10.0, 20.0, 30.0), (50.0, 60.0, 70.0)), (None, (255.0,))]
)
def test_the_table_equals_the_float_path_exactly(
    channels: int, dtype: str, mean: tuple[float, ...] | None, std: tuple[float, ...]
) -> None:
    spec = like(dtype, channels)
    mean, std = mean and mean[:channels], std[:channels]
    data = picture()
    pixels = reference(data, cv2.COLOR_BGR2RGB if channels == 3 else cv2.COLOR_BGR2GRAY)
    real = (pixels.reshape(12, 16, channels) - np.array(mean or 0.0)) / np.array(std)
    assert np.array_equal(fill(spec, data, Pre(mean=mean, std=std))[0], quantize(real, spec))


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [("uint8", lambda x: x), ("int8", lambda x: x - 128.0), ("float32", lambda x: np.float32(x / 255))],
)
def test_without_a_manifest_each_type_gets_its_full_range(dtype: str, expected: Any) -> None:
    data = picture()
    pixels = reference(data, cv2.COLOR_BGR2RGB).astype(np.float64)
    assert np.array_equal(fill(like(dtype), data)[0], expected(pixels))


def test_a_view_into_a_larger_picture_is_read_right() -> None:
    data = picture(60, 80)
    for view in (data[5:45, 7:57], data[::-1, ::-1], data[::2, ::3], data[5:17, 7:23]):
        assert np.array_equal(fill(UINT8, view), fill(UINT8, view.copy()))


def test_a_processor_may_be_used_again_with_frames_of_other_kinds() -> None:
    processor, into = Preprocessor(UINT8, Pre()), np.empty(UINT8.shape, np.uint8)
    for data in (picture(), picture(channels=4), picture(9, 9), picture(channels=1), picture()):
        processor(Frame(0, 0, data), into)
        assert np.array_equal(into, fill(UINT8, data))


def test_the_frame_is_not_changed() -> None:
    for data in (picture(), picture(12, 16)):
        data.flags.writeable = False
        fill(UINT8, data, Pre(color="bgr"))
        fill(like("int8"), data)


@pytest.mark.parametrize("channels", [2, 5])
def test_a_picture_of_unknown_channels_is_rejected(channels: int) -> None:
    with pytest.raises(InputRejected, match=f"a picture of {channels} channels"):
        fill(UINT8, picture(channels=channels))


WINDOW = TensorSpec("window", "int8", (1, 49, 10, 1), (0.5,), (3,))


@pytest.mark.parametrize("shape", [(1, 49, 10, 1), (49, 10, 1), (49, 10), (1, 1, 49, 10)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_float_window_is_quantized_whatever_dimensions_of_one_it_has(
    shape: tuple[int, ...], dtype: Any
) -> None:
    data = np.linspace(-30, 30, 490).astype(dtype).reshape(shape)
    found = fill(WINDOW, data)
    assert np.array_equal(found, quantize(data.reshape(WINDOW.shape), WINDOW))


@given(hnp.arrays(np.int8, (49, 10)))
def test_integers_of_the_inputs_own_type_are_stored_as_they_are(data: Array) -> None:
    assert np.array_equal(fill(WINDOW, data)[0, :, :, 0], data)


def test_a_tensor_with_its_batch_dimension_is_no_picture() -> None:
    data = picture(12, 16)[np.newaxis]
    assert np.array_equal(fill(UINT8, data), data)


def test_floats_are_converted_for_a_float_input() -> None:
    spec = TensorSpec("x", "float32", (1, 3))
    assert fill(spec, np.array([1, 2, 0.1])).tolist() == [[1, 2, float(np.float32(0.1))]]


@pytest.mark.parametrize(
    ("spec", "data"),
    [
        (WINDOW, np.zeros((10, 49), np.float32)),
        (WINDOW, np.zeros((49, 10), np.int16)),
        (WINDOW, np.zeros(490, np.float32)),
        (TensorSpec("x", "uint8", (1, 12, 16, 3)), np.zeros((1, 12, 16, 3), np.float32)),
        (TensorSpec("x", "float32", (1, 3)), np.zeros(3, np.int64)),
        (TensorSpec("x", "float32", (1, 640)), np.zeros((480, 640, 3), np.uint8)),
        (UINT8, np.zeros((0, 0, 3), np.uint8)),
        (UINT8, np.zeros((12, 16, 3), np.bool_)),
    ],
)
def test_an_array_that_does_not_fit_is_rejected_with_both_shapes(spec: TensorSpec, data: Array) -> None:
    with pytest.raises(InputRejected) as caught:
        fill(spec, data)
    assert str(list(spec.shape)) in caught.value.problem
    assert f"{data.dtype} {list(data.shape)}" in caught.value.problem
    assert caught.value.hint


def test_a_window_that_does_not_fit_is_told_of_features() -> None:
    with pytest.raises(
        InputRejected, match=r"Change the source's window and channels, or name pre\.features"
    ):
        fill(WINDOW, np.zeros((16000, 1), np.float32))


BYTES = TensorSpec("x", "int8", (1, 3), (0.1,), (0,))
FLOATS = TensorSpec("x", "float32", (1, 3))


@pytest.mark.parametrize(
    ("spec", "bad"), [(BYTES, np.nan), (BYTES, -np.inf), (FLOATS, np.nan), (FLOATS, np.inf), (FLOATS, 1e300)]
)
def test_samples_that_are_not_finite_are_rejected(spec: TensorSpec, bad: float) -> None:
    with pytest.raises(InputRejected, match="1 of 3 numbers are NaN or infinite"):
        fill(spec, np.array([0, 0, bad]))


def test_samples_beyond_the_range_of_a_quantized_input_saturate() -> None:
    assert fill(BYTES, np.array([0, -13, 1e300])).tolist() == [[0, -128, 127]]


@pytest.mark.parametrize(
    ("spec", "pre"),
    [
        (UINT8, Pre(color="gray")),
        (TensorSpec("x", "float32", (1, 640)), Pre(mean=(1.0,))),
        (TensorSpec("x", "float32", (1, 12, 16, 4)), Pre(color="bgr")),
        (UINT8, Pre(mean=(1.0, 2.0))),
    ],
)
def test_a_manifest_that_does_not_fit_the_input_is_refused(spec: TensorSpec, pre: Pre) -> None:
    with pytest.raises((ManifestInvalid, ModelInvalid)):
        Preprocessor(spec, pre)


@pytest.mark.parametrize(
    "into",
    [
        np.zeros((1, 12, 16, 3), np.int8),
        np.zeros((12, 16, 3), np.uint8),
        np.zeros((1, 16, 12, 3), np.uint8).T,
    ],
)
def test_a_buffer_of_another_kind_is_a_bug(into: Array) -> None:
    with pytest.raises(ValueError, match="the buffer is no contiguous"):
        Preprocessor(UINT8, Pre())(Frame(0, 0, picture()), into)


@given(
    dtype=st.sampled_from(["uint8", "int8", "int16", "float32"]),
    shape=st.tuples(st.integers(1, 40), st.integers(1, 40), st.sampled_from([1, 3, 4])),
    channels=st.sampled_from([1, 3]),
)
def test_any_picture_fills_the_whole_buffer_of_any_input(
    dtype: str, shape: tuple[int, int, int], channels: int
) -> None:
    spec = like(dtype, channels)
    filled = []
    for before in (0, 1):
        into = np.full(spec.shape, before, spec.dtype)
        Preprocessor(spec, Pre())(Frame(0, 0, np.full(shape, 200, np.uint8)), into)
        filled.append(into)
    assert np.array_equal(filled[0], filled[1])
    assert len(np.unique(filled[0])) == 1
