"""Whether two ways to run a model give the same outputs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.tuning import outputs
from agent.tuning.outputs import TOLERANCE, differs
from agent.types import TensorSpec

if TYPE_CHECKING:
    from agent.types import Array

REAL = TensorSpec("scores", "float32", (4,))
STEPS = TensorSpec("scores", "uint8", (4,), (0.5,), (10,))


def reals(*values: float) -> list[Array]:
    return [np.array(values, np.float32)]


@given(
    st.lists(st.floats(-1000, 1000), min_size=4, max_size=4),
    st.lists(st.floats(-1, 1), min_size=4, max_size=4),
)
def test_outputs_within_the_tolerance_agree_and_others_do_not(
    values: list[float], noise: list[float]
) -> None:
    reference = np.array([*values, 0, 1])
    allowed = TOLERANCE * float(np.ptp(reference))
    near = reference + 0.99 * allowed * np.array([*noise, 0, 0])
    spec = replace(REAL, dtype="float64", shape=(6,))
    assert differs([near], [reference], [spec]) == ""
    far = reference.copy()
    far[0] += 1.01 * allowed
    assert "off by" in differs([far], [reference], [spec])


def test_a_quantized_output_may_be_off_by_four_steps() -> None:
    reference = [np.full(4, 50, np.uint8)]
    assert differs([np.full(4, 54, np.uint8)], reference, [STEPS]) == ""
    assert (
        differs([np.full(4, 55, np.uint8)], reference, [STEPS]) == "output scores is off by 2.5, 2 is allowed"
    )


def test_what_is_not_finite_must_be_so_in_both() -> None:
    nothing = reals(1, np.nan, 2, 3)
    assert differs(nothing, nothing, [REAL]) == ""
    assert "not finite" in differs(reals(1, 1, 2, 3), nothing, [REAL])
    assert differs(reals(*[np.nan] * 4), reals(*[np.nan] * 4), [REAL]) == ""


def test_another_shape_is_told() -> None:
    assert differs([np.zeros(3, np.float32)], reals(0, 0, 0, 0), [REAL]) == (
        "output scores has the shape [3], not [4]"
    )


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int32", "int64", "float32", "bool"])
def test_inputs_are_the_same_each_time_and_use_the_whole_range(dtype: str) -> None:
    spec = TensorSpec("image", dtype, (1, 64, 64, 3))
    first, again = outputs.inputs([spec, spec]), outputs.inputs([spec, spec])
    assert [len(one) for one in first] == [2, 2, 2]
    for one, other in zip(first, again, strict=True):
        for array, same in zip(one, other, strict=True):
            assert array.dtype == np.dtype(dtype)
            assert array.shape == spec.shape
            assert np.array_equal(array, same)
    if dtype in {"int8", "uint8"}:
        assert len(np.unique(first[0][0])) == 256
