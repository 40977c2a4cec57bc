"""Masks as run lengths."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from agent.imaging import masks

if TYPE_CHECKING:
    from agent.types import Array

MASKS = hnp.arrays(np.bool_, hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=9))


@given(MASKS)
def test_what_was_written_is_read_again(mask: Array) -> None:
    written = json.loads(json.dumps(masks.encode(mask)))
    np.testing.assert_array_equal(masks.decode(written), mask)


@given(MASKS)
def test_runs_are_as_few_as_can_be(mask: Array) -> None:
    counts = masks.encode(mask)["counts"]
    assert all(count > 0 for count in counts[1:])
    assert sum(counts[1::2]) == mask.sum()


def test_cells_are_read_column_by_column_beginning_with_the_zeros() -> None:
    mask = np.array([[False, True, True], [False, False, True]])
    assert masks.encode(mask, (0.0, 0.5, 1.0, 1.0)) == {
        "size": [2, 3],
        "counts": [2, 1, 1, 2],
        "within": [0.0, 0.5, 1.0, 1.0],
    }
    assert masks.encode(~mask)["counts"] == [0, 2, 1, 1, 2]


@pytest.mark.parametrize(
    "mask",
    [
        {},
        {"size": [2, 2]},
        {"size": [2, 2], "counts": "4"},
        {"size": [2], "counts": [4]},
        {"size": [2, 2, 1], "counts": [4]},
        {"size": [0, 2], "counts": []},
        {"size": [-1, -4], "counts": [4]},
        {"size": [2, 2.0], "counts": [4]},
        {"size": [2, 2], "counts": [True, 3]},
        {"size": [2, 2], "counts": [5, -1]},
        {"size": [2, 2], "counts": [3]},
        {"size": [2, 2], "counts": [4, 4]},
        {"size": [99_999, 99_999], "counts": [99_999 * 99_999]},
    ],
)
def test_a_mask_that_lies_is_refused_and_takes_no_memory(mask: Any) -> None:
    with pytest.raises(ValueError, match="counts"):
        masks.decode(mask)


@given(
    st.fixed_dictionaries(
        {}, optional={"size": st.lists(st.integers(-1, 9)), "counts": st.lists(st.integers(-1, 40))}
    )
)
def test_no_numbers_at_all_make_it_fail_otherwise(mask: Any) -> None:
    try:
        found = masks.decode(mask)
    except ValueError:
        return
    assert list(found.shape) == mask["size"]
