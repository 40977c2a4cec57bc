"""Average precision, against cases counted by hand."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.metrics import (
    Box,
    Found,
    Picture,
    Wanted,
    average_precision,
    mean_average_precision,
    overlap,
    precision_and_recall,
)

HERE: Box = (0.0, 0.0, 2.0, 2.0)
THERE: Box = (0.0, 5.0, 2.0, 7.0)
FAR: Box = (8.0, 8.0, 9.0, 9.0)
HALF: Box = (0.0, 0.0, 1.0, 2.0)


@pytest.mark.parametrize(
    ("one", "other", "share"),
    [
        (HERE, HERE, 1),
        (HERE, HALF, 1 / 2),
        (HERE, (1.0, 1.0, 3.0, 3.0), 1 / 7),
        (HERE, (2.0, 0.0, 4.0, 2.0), 0),
        (HERE, FAR, 0),
        ((1.0, 1.0, 1.0, 1.0), (1.0, 1.0, 1.0, 1.0), 0),
    ],
)
def test_overlap_is_intersection_over_union(one: Box, other: Box, share: float) -> None:
    assert overlap(one, other) == pytest.approx(share)
    assert overlap(other, one) == pytest.approx(share)


def test_precision_at_each_recall_is_the_best_from_there_on() -> None:
    """Right, wrong, right, of three: precision 1, 1/2, 2/3 at recall 1/3, 1/3, 2/3."""
    picture = Picture(
        [Wanted("a", HERE), Wanted("a", THERE), Wanted("a", (4.0, 4.0, 6.0, 6.0))],
        [Found("a", HERE, 0.9), Found("a", FAR, 0.8), Found("a", THERE, 0.7)],
    )
    assert average_precision([picture], "a") == pytest.approx(1 / 3 * 1 + 1 / 3 * 2 / 3)
    assert precision_and_recall([picture]) == pytest.approx((2 / 3, 2 / 3))


def test_a_wrong_one_first_costs_more() -> None:
    picture = Picture([Wanted("a", HERE)], [Found("a", FAR, 0.9), Found("a", HERE, 0.8)])
    assert average_precision([picture], "a") == pytest.approx(1 / 2)


def test_precision_that_recovers_counts_for_the_recall_before() -> None:
    """Wrong, right, right: precision 1/2 and 2/3 where recall rises, and 2/3 holds for both."""
    found = [Found("a", FAR, 0.9), Found("a", HERE, 0.8), Found("a", THERE, 0.7)]
    picture = Picture([Wanted("a", HERE), Wanted("a", THERE)], found)
    assert average_precision([picture], "a") == pytest.approx(2 / 3)


def test_an_object_is_found_once() -> None:
    picture = Picture([Wanted("a", HERE), Wanted("a", THERE)], [Found("a", HERE, 0.9), Found("a", HERE, 0.8)])
    assert average_precision([picture], "a") == pytest.approx(1 / 2)
    assert precision_and_recall([picture]) == pytest.approx((1 / 2, 1 / 2))


def test_half_an_overlap_is_just_enough() -> None:
    picture = Picture([Wanted("a", HERE)], [Found("a", HALF, 0.9)])
    assert average_precision([picture], "a") == 1
    assert average_precision([picture], "a", iou=0.51) == 0


def test_difficult_objects_are_neither_demanded_nor_punished() -> None:
    wanted = [Wanted("a", HERE), Wanted("a", THERE, difficult=True)]
    found = [Found("a", THERE, 0.95), Found("a", THERE, 0.94), Found("a", HERE, 0.9)]
    assert average_precision([Picture(wanted, found)], "a") == 1
    assert average_precision([Picture(wanted, found[2:])], "a") == 1
    assert precision_and_recall([Picture(wanted, found)]) == (1, 1)


def test_detections_of_all_pictures_are_ranked_together_and_matched_apart() -> None:
    pictures = [
        Picture([Wanted("a", HERE)], [Found("a", HERE, 0.5)]),
        Picture([Wanted("a", THERE)], [Found("a", HERE, 0.9)]),
    ]
    assert average_precision(pictures, "a") == pytest.approx(1 / 2 * 1 / 2)


def test_the_mean_is_over_labels_that_are_demanded() -> None:
    picture = Picture(
        [Wanted("a", HERE), Wanted("b", THERE), Wanted("c", FAR, difficult=True)],
        [Found("a", HERE, 0.9), Found("d", FAR, 0.9)],
    )
    assert mean_average_precision([picture]) == pytest.approx((1 + 0) / 2)
    assert precision_and_recall([picture]) == pytest.approx((1 / 2, 1 / 2))


def test_where_nothing_is_demanded_there_is_no_figure() -> None:
    assert math.isnan(average_precision([Picture([], [Found("a", HERE, 0.9)])], "a"))
    assert math.isnan(mean_average_precision([]))
    assert average_precision([Picture([Wanted("a", HERE)], [])], "a") == 0


corners = st.integers(0, 6).map(float)
boxes = st.tuples(corners, corners, corners, corners).map(
    lambda c: (min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]) + 1, max(c[1], c[3]) + 1)
)
labels = st.sampled_from("ab")
pictures = st.builds(
    Picture,
    st.lists(st.builds(Wanted, labels, boxes, st.booleans()), max_size=4),
    st.lists(st.builds(Found, labels, boxes, st.floats(0, 1)), max_size=6),
)


@given(st.lists(pictures, max_size=4))
def test_it_lies_in_0_to_1_and_never_gains_by_a_worse_detection(several: list[Picture]) -> None:
    value = average_precision(several, "a")
    if not math.isnan(value):
        assert 0 <= value <= 1 + 1e-9
        worse = [*several, Picture([], [Found("a", HERE, -1.0)])]
        assert average_precision(worse, "a") == pytest.approx(value)
        perfect = [Picture(one.wanted, [Found(w.label, w.box, 1.0) for w in one.wanted]) for one in several]
        distinct = all(len({w.box for w in one.wanted}) == len(one.wanted) for one in several)
        if distinct:
            assert average_precision(perfect, "a") == pytest.approx(1)
