"""The area under the curve, against cases worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.roc import auc

scores = st.lists(st.integers(-5, 5), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("positive", "negative", "area"),
    [
        ([3.0, 4.0], [1.0, 2.0], 1.0),
        ([1.0, 2.0], [3.0, 4.0], 0.0),
        ([1.0], [1.0], 0.5),
        ([2.0, 0.0], [1.0], 0.5),
        ([0.8, 0.4], [0.4, 0.1, 0.6], 4.5 / 6),  # 0.8 beats three; 0.4 ties one, beats one, loses one
        ([1.0, 1.0, 2.0], [1.0, 0.0], 5.0 / 6),  # 1 + 0.5 twice, and 2, of 6 pairs
        ([0.1, np.inf], [0.2], 0.5),
    ],
)
def test_the_area_is_the_share_of_pairs_in_the_right_order(
    positive: list[float], negative: list[float], area: float
) -> None:
    assert auc(np.array(positive), np.array(negative)) == pytest.approx(area)


@given(scores, scores)
def test_it_counts_every_pair_and_ties_half(positive: list[int], negative: list[int]) -> None:
    pairs = [(p > n) + 0.5 * (p == n) for p in positive for n in negative]
    one = auc(np.array(positive), np.array(negative))
    assert one == pytest.approx(sum(pairs) / len(pairs))
    assert auc(np.array(negative), np.array(positive)) == pytest.approx(1 - one)
    assert auc(np.array(positive) * 7 + 3, np.array(negative) * 7 + 3) == pytest.approx(one)


@pytest.mark.parametrize(("positive", "negative"), [([], [1.0]), ([1.0], []), ([np.nan], [1.0])])
def test_without_numbers_in_both_groups_there_is_no_area(
    positive: list[float], negative: list[float]
) -> None:
    with pytest.raises(ValueError, match="both groups"):
        auc(np.array(positive), np.array(negative))
