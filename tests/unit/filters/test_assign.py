"""Who is who: as scipy pairs it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.optimize import linear_sum_assignment

from agent.filters._assign import Pairs, assign, overlaps

SHARES = st.sampled_from([0.0, 0.0, 0.0]) | st.floats(0.125, 1, width=32)


@settings(max_examples=200)
@given(shares=hnp.arrays(np.float64, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=SHARES))
def test_pairs_have_the_greatest_sum_and_nobody_is_in_two(shares: np.ndarray) -> None:
    rows, columns = np.nonzero(shares)
    chosen = assign(Pairs(rows, columns, shares[rows, columns]))
    assert len(set(chosen.rows.tolist())) == len(chosen.rows) == len(set(chosen.columns.tolist()))
    best = shares[linear_sum_assignment(shares, maximize=True)].sum()
    assert chosen.shares.sum() == pytest.approx(best)
    assert (shares[chosen.rows, chosen.columns] == chosen.shares).all()


def test_overlaps_are_intersections_over_unions() -> None:
    one = np.array([[0.0, 0.0, 0.5, 0.5], [0.9, 0.9, 1.0, 1.0]])
    other = np.array([[0.0, 0.25, 0.5, 0.75], [0.0, 0.0, 0.5, 0.5], [0.5, 0.5, 0.9, 0.9]])
    found = overlaps(one, other)
    assert (found.rows.tolist(), found.columns.tolist()) == ([0, 0], [0, 1])
    assert found.shares.tolist() == pytest.approx([1 / 3, 1.0])


def test_boxes_that_do_not_touch_overlap_once_they_are_widened() -> None:
    one, other = np.array([[0.4, 0.1, 0.5, 0.2]]), np.array([[0.4, 0.25, 0.5, 0.35]])
    assert len(overlaps(one, other).rows) == 0
    assert overlaps(one, other, 1.0).shares.tolist() == pytest.approx([0.15 / 0.45])
