"""Integer arithmetic against exact numbers, and against the real transform."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from agent.features._integers import logarithms, power, roots, widths

NUMBERS = hnp.arrays(np.int64, st.integers(1, 40), elements=st.integers(0, 2**50))


@given(NUMBERS)
@example(np.array([0, 1, 2, 3, 6, 7, 2**50 - 1]))
def test_roots_are_the_nearest_whole_numbers(squares: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    # isqrt(4 n) is the root times 2, rounded down: halves do not occur in roots of whole numbers.
    assert roots(squares).tolist() == [(math.isqrt(4 * one) + 1) // 2 for one in squares.tolist()]


@given(NUMBERS)
@example(np.array([0, 1, 2, 2**31 - 1, 2**31]))
def test_widths_are_bit_lengths(numbers: np.ndarray[tuple[int], np.dtype[np.int64]]) -> None:
    assert widths(numbers).tolist() == [one.bit_length() for one in numbers.tolist()]


@given(hnp.arrays(np.int64, st.integers(1, 40), elements=st.integers(0, 2**32 - 1)))
@example(np.array([0, 1, 2, 3, 65535, 65536, 2**32 - 1]))
def test_logarithms_are_those_of_real_numbers_within_one(
    numbers: np.ndarray[tuple[int], np.dtype[np.int64]],
) -> None:
    real = 64 * np.log(np.maximum(numbers, 1))
    found = logarithms(numbers, 64)
    assert (found[numbers < 2] == 0).all()
    assert np.abs(found - real).max() < 1


@given(st.integers(0, 10_000), st.integers(0, 32767))
def test_the_power_is_that_of_the_real_transform_within_its_rounding(seed: int, level: int) -> None:
    samples = np.random.default_rng(seed).integers(-level - 1, level + 1, (3, 512))
    found = power(samples)
    real = np.abs(np.fft.rfft(samples) / 512)
    assert found.shape == (3, 257)
    assert np.abs(np.sqrt(found) - real).max() < 4
