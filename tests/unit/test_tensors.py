"""Quantization: what a model stores, and what is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from agent.errors import ModelInvalid
from agent.tensors import dequantize, pixel_table, quantize
from agent.types import TensorSpec

if TYPE_CHECKING:
    from agent.types import Array

INTEGERS = ["int8", "uint8", "int16", "uint16"]


def spec(dtype: str, scale: float = 0.0, zero_point: int = 0, shape: tuple[int, ...] = (1, 4)) -> TensorSpec:
    quantization: dict[str, Any] = {"scale": (scale,), "zero_point": (zero_point,)} if scale else {}
    return TensorSpec("t", dtype, shape, **quantization)


@st.composite
def quantized(draw: st.DrawFn) -> TensorSpec:
    dtype = draw(st.sampled_from(INTEGERS))
    info = np.iinfo(dtype)
    scale = draw(st.floats(2**-20, 1024, width=32))
    return spec(dtype, scale, draw(st.integers(int(info.min), int(info.max))))


@given(quantized())
def test_every_stored_value_survives_the_way_to_a_real_number_and_back(one: TensorSpec) -> None:
    info = np.iinfo(one.dtype)
    stored = np.arange(info.min, info.max + 1).astype(one.dtype)
    assert np.array_equal(quantize(dequantize(stored, one), one), stored)


@given(quantized(), st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_a_real_number_in_range_comes_back_within_half_a_step(one: TensorSpec, parts: list[float]) -> None:
    info = np.iinfo(one.dtype)
    low, high = ((edge - one.zero_point[0]) * one.scale[0] for edge in (info.min, info.max))
    values = low + np.array(parts) * (high - low)
    back = dequantize(quantize(values, one), one)
    rounding = np.abs(back).max() * 1e-7
    assert np.abs(back - values).max() <= one.scale[0] / 2 * (1 + 1e-9) + rounding


@given(quantized(), hnp.arrays(np.float32, 8, elements=st.floats(width=32)))
def test_any_float_at_all_saturates_and_nan_is_the_zero_point(one: TensorSpec, values: Array) -> None:
    info = np.iinfo(one.dtype)
    stored = quantize(values, one)
    assert stored.dtype == np.dtype(one.dtype)
    assert (stored[np.isnan(values)] == one.zero_point[0]).all()
    assert (stored[values == np.inf] == info.max).all()
    assert (stored[values == -np.inf] == info.min).all()


@pytest.mark.parametrize(
    ("real", "stored"), [(0.5, 1), (-0.5, -1), (1.5, 2), (2.5, 3), (-2.5, -3), (0.49999999999999994, 0)]
)
def test_halves_round_away_from_zero(real: float, stored: int) -> None:
    assert quantize(np.array([real]), spec("int8", 1.0)).tolist() == [stored]


def test_the_difference_does_not_wrap_around_in_the_stored_type() -> None:
    assert dequantize(np.array([-128, 127], np.int8), spec("int8", 1.0, 127)).tolist() == [-255, 0]
    assert dequantize(np.array([0, 255], np.uint8), spec("uint8", 0.5, 255)).tolist() == [-127.5, 0]


@pytest.mark.parametrize("axis", [0, 1])
def test_scales_run_along_their_axis(axis: int) -> None:
    one = TensorSpec("t", "int8", (2, 2), scale=(1.0, 10.0), zero_point=(0, 1), axis=axis)
    stored = np.array([[1, 2], [3, 4]], np.int8)
    expected = [[1, 2], [20, 30]] if axis == 0 else [[1, 10], [3, 30]]
    assert dequantize(stored, one).tolist() == expected
    assert np.array_equal(quantize(dequantize(stored, one), one), stored)


def test_what_is_not_quantized_is_only_converted() -> None:
    assert dequantize(np.array([1, 300], np.int32), spec("int32")).tolist() == [1, 300]
    assert quantize(np.array([1.5, np.nan]), spec("float32")).dtype == np.float32
    assert quantize(np.array([1.4, 300.0, -5.0]), spec("uint8")).tolist() == [1, 255, 0]
    assert quantize(np.array([1e30, -1e30]), spec("int64")).tolist() == [2**63 - 1024, -(2**63)]


def test_a_float_tensor_ignores_the_scales_that_a_converter_left_on_it() -> None:
    assert dequantize(np.array([0.25], np.float32), spec("float32", 0.1, 3)).tolist() == [0.25]


def test_what_float32_cannot_hold_becomes_infinite_without_a_warning() -> None:
    assert dequantize(np.array([1e300]), spec("float64")).tolist() == [np.inf]


def test_a_tensor_of_no_numbers_cannot_be_quantized_for() -> None:
    with pytest.raises(ModelInvalid, match="holds no numbers"):
        quantize(np.array([1.0]), spec("bool"))


PICTURES = {
    "uint8": (1 / 255, 0),
    "int8": (1 / 128, 0),
    "int16": (1 / 32767, 0),
    "uint16": (1 / 65535, 0),
    "float32": (0.0, 0),
    "float16": (0.0, 0),
    "int32": (0.0, 0),
}


@pytest.mark.parametrize("dtype", PICTURES)
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(("mean", "std"), [((127.5,), (127.5,)), ((0.0,), (255.0,)), (None, (255.0,))])
def test_the_pixel_table_equals_the_float_path_for_every_pixel(
    dtype: str, channels: int, mean: tuple[float] | None, std: tuple[float]
) -> None:
    one = spec(dtype, *PICTURES[dtype], shape=(1, 8, 8, channels))
    pixels = np.arange(256)
    real = (pixels - (mean or (0.0,))[0]) / std[0]
    table = pixel_table(one, mean, std)
    assert table.shape == (256, channels)
    assert table.dtype == np.dtype(dtype)
    for channel in range(channels):
        assert np.array_equal(table[:, channel], quantize(real, one))


def test_mean_and_std_may_differ_from_channel_to_channel() -> None:
    table = pixel_table(spec("float32", shape=(1, 8, 8, 3)), (0.0, 100.0, 200.0), (1.0, 2.0, 4.0))
    assert table[100].tolist() == [100, 0, -25]


@pytest.mark.parametrize(
    ("dtype", "at_0", "at_255"),
    [("uint8", 0, 255), ("int8", -128, 127), ("int16", 0, 32767), ("float32", 0, 1), ("int32", 0, 255)],
)
def test_without_mean_and_std_a_pixel_spans_what_the_type_is_meant_to_hold(
    dtype: str, at_0: float, at_255: float
) -> None:
    table = pixel_table(spec(dtype, *PICTURES[dtype], shape=(1, 8, 8, 3)))
    assert table[[0, 255], 0].tolist() == [at_0, at_255]
    assert (np.diff(table[:, 0].astype(np.float64)) > 0).all()


@pytest.mark.parametrize(
    ("one", "mean", "problem"),
    [
        (spec("int16", shape=(1, 8, 8, 3)), None, "takes no pixels"),
        (spec("bool", shape=(1, 8, 8, 3)), None, "takes no pixels"),
        (spec("int8", 0.1, shape=(1, 8, 8, 3)), (1.0, 2.0), "mean has 2 numbers for 3 channels"),
        (TensorSpec("t", "int8", (1, 8, 8, 2), (1.0, 2.0), (0, 0), 3), (1.0,), "scales differ"),
    ],
)
def test_an_input_that_cannot_take_pixels_is_refused(
    one: TensorSpec, mean: tuple[float, ...] | None, problem: str
) -> None:
    with pytest.raises(ModelInvalid, match=problem):
        pixel_table(one, mean)
