"""Arrays from bytes that nobody vouches for."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from agent.npy import parse_npy

if TYPE_CHECKING:
    from agent.types import Array

NUMBERS = st.one_of(
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
    hnp.boolean_dtypes(),
)
SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, max_side=6)


def saved(array: Array) -> bytes:
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


@given(hnp.arrays(NUMBERS, SHAPES), st.booleans())
def test_it_reads_what_numpy_writes(array: Array, fortran: bool) -> None:
    array = np.asfortranarray(array) if fortran else array
    found = parse_npy(saved(array))
    np.testing.assert_array_equal(found, array)
    assert found.shape == array.shape
    assert found.dtype.isnative
    assert found.flags.c_contiguous
    assert found.flags.writeable


@given(hnp.arrays(NUMBERS, SHAPES), st.data())
def test_what_is_cut_short_is_refused(array: Array, data: st.DataObject) -> None:
    whole = saved(array)
    with pytest.raises(ValueError, match=r"it is no|cut short|damaged"):
        parse_npy(whole[: data.draw(st.integers(0, len(whole) - 1))])


@given(st.sampled_from((b"", b"\x93NUMPY", b"\x93NUMPY\x01\x00\x76\x00{'descr': '<f8', ")), st.binary())
def test_no_bytes_make_it_fail_otherwise(start: bytes, rest: bytes) -> None:
    with pytest.raises(ValueError, match=r"^(it|the array) is|^its elements"):
        parse_npy(start + rest)


@pytest.mark.parametrize(
    ("array", "problem"),
    [
        (np.array(["a", "b"]), "plain numbers"),
        (np.array([{}, 1], object), "plain numbers"),
        (np.array([1j]), "plain numbers"),
        (np.zeros(2, [("a", "f4"), ("b", "i4")]), "plain numbers"),
        (np.zeros((0, 3)), "empty"),
    ],
)
def test_what_is_no_array_of_numbers_is_refused(array: Array, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_npy(saved(array))


def test_a_shape_without_an_end_takes_no_time() -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (" + b"1" * 4000
    with pytest.raises(ValueError, match="damaged"):
        parse_npy(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)


def test_a_shape_that_lies_takes_no_memory() -> None:
    honest = saved(np.zeros(1000))
    for shape in (b"(1001,)", b"(999999999,)", b"(9, 9, 999999)"):
        lying = honest.replace(b"(1000,), }" + b" " * (len(shape) - 7), shape + b", }")
        assert len(lying) == len(honest)
        with pytest.raises(ValueError, match="cut short"):
            parse_npy(lying)
