"""The numbers of quantization."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from agent.tensors import quantize as agent_quantize
from agent.types import TensorSpec
from models import quantize
from models.quantize import Precision, Quant

if TYPE_CHECKING:
    from agent.types import Array

numbers = st.floats(-1000, 1000, width=32)
shares = hnp.arrays(np.float32, 20, elements=st.floats(0, 1, width=32))
QUANTIZED: tuple[Precision, ...] = ("int8", "uint8")


@given(
    numbers,
    numbers,
    st.sampled_from(QUANTIZED),
    hnp.arrays(np.float32, 20, elements=st.floats(0, 1, width=32)),
)
def test_values_in_range_come_back_within_half_a_step_and_zero_exactly(
    one: float, other: float, precision: Precision, shares: Array
) -> None:
    low, high = sorted((one, other))
    quant = quantize.affine(low, high, precision)
    values = low + (high - low) * shares
    stored = quantize.quantize(values, quant, precision)
    assert stored.dtype == precision
    # The zero point is a whole number, so an end of the range can be half a step off as well.
    np.testing.assert_allclose(quantize.dequantize(stored, quant), values, atol=quant.scale[0] * 1.01 + 1e-6)
    assert quantize.dequantize(quantize.quantize(np.zeros(1), quant, precision), quant) == 0


def test_bytes_are_stored_as_they_are() -> None:
    pixels = np.arange(256)
    for precision, shift in (("uint8", 0), ("int8", -128)):
        stored = quantize.quantize(pixels / 255, quantize.affine(0, 1, precision), precision)  # type: ignore[arg-type]
        np.testing.assert_array_equal(stored, pixels + shift)


@pytest.mark.parametrize("precision", QUANTIZED)
@given(data=st.data())
def test_training_and_the_agent_store_the_same_number(precision: Precision, data: st.DataObject) -> None:
    """Halves, too: both round them away from zero, as TFLite does."""
    quant = Quant((data.draw(st.sampled_from([0.5, 1.0, 1 / 255, 0.037])),), (data.draw(st.integers(-9, 9)),))
    halves = st.integers(-600, 600).map(lambda n: n * quant.scale[0] / 2)
    values = np.array(data.draw(st.lists(halves | numbers, min_size=1)), np.float64)
    spec = TensorSpec("x", precision, values.shape, quant.scale, quant.zero_point)
    np.testing.assert_array_equal(quantize.quantize(values, quant, precision), agent_quantize(values, spec))


def test_halves_round_away_from_zero() -> None:
    halves = np.array([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])
    wanted = [-3, -2, -1, 1, 2, 3]
    assert quantize.quantize(halves, Quant((1.0,), (0,)), "int8").tolist() == wanted
    stored, _ = quantize.bias(halves, Quant((1.0,), (0,)), Quant((1.0,), (0,)))
    assert stored.tolist() == wanted
    assert quantize.affine(-1, 1, "int8").zero_point == (-1,)


@pytest.mark.parametrize("precision", QUANTIZED)
def test_what_lies_outside_saturates(precision: Precision) -> None:
    quant = quantize.affine(-1, 1, precision)
    stored = quantize.quantize(np.array([-9.0, 9.0]), quant, precision)
    assert stored.tolist() == [np.iinfo(precision).min, np.iinfo(precision).max]


def test_int8_weights_have_a_scale_a_channel_and_never_use_minus_128() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(4, 3, 3, 2)) * np.array([1.0, 100.0, 0.01, 0.0]).reshape(4, 1, 1, 1)
    values[0, 0, 0, 0] = -9.0
    stored, quant = quantize.weights(values, "int8", 0)
    assert (len(quant.scale), quant.zero_point, quant.axis) == (4, (0, 0, 0, 0), 0)
    assert np.abs(stored[:3].astype(int)).max(axis=(1, 2, 3)).tolist() == [127, 127, 127]
    assert not stored[3].any()
    error = np.abs(quantize.dequantize(stored, quant) - values).max(axis=(1, 2, 3))
    assert (error <= np.array(quant.scale) * 0.51).all()


def test_without_an_axis_there_is_one_scale() -> None:
    stored, quant = quantize.weights(np.array([[1.0, -2.0], [0.5, 0.0]]), "int8", None)
    assert quant == Quant((2 / 127,), (0,))
    assert stored.tolist() == [[64, -127], [32, 0]]


def test_uint8_weights_have_one_range() -> None:
    stored, quant = quantize.weights(np.array([[-1.0, 3.0]]), "uint8", 0)
    assert quant.zero_point == (64,)
    assert stored.tolist() == [[0, 255]]


def test_a_bias_is_in_units_of_input_times_weight_and_fits_32_bits() -> None:
    stored, quant = quantize.bias(np.array([1.0, -1e12]), Quant((0.5,), (3,)), Quant((0.1, 0.001), (0, 0)))
    assert quant == Quant((0.05, 0.0005), (0, 0))
    assert stored.tolist() == [20, -(2**31)]
