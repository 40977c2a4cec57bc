"""What the demo draws: boxes where things are, bars as long as their scores, scores over time."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.demo.canvas import bars, boxes
from agent.demo.chart import chart
from agent.demo.grid import Grid

shares = st.floats(-0.5, 1.5)
items = st.fixed_dictionaries(
    {"box": st.tuples(shares, shares, shares, shares).map(list), "label": st.text(max_size=30)},
    optional={"index": st.integers(0, 99), "score": st.floats(0, 1)},
)
sizes = st.tuples(st.integers(0, 60), st.integers(0, 20))


def box(*corners: float, label: str = "star", score: float = 0.97, index: int = 0) -> dict[str, Any]:
    return {"label": label, "score": score, "index": index, "box": list(corners)}


def test_a_box_stands_where_the_item_is_with_its_label_on_the_upper_edge() -> None:
    grid = boxes([box(0.25, 0.1, 0.75, 0.8)], 20, 8)
    assert grid.text() == [
        "                    ",
        "                    ",
        "  ┌star 0.97───┐    ",
        "  │            │    ",
        "  │            │    ",
        "  └────────────┘    ",
        "                    ",
        "                    ",
    ]


@pytest.mark.parametrize(
    ("width", "edge"), [(11, "┌star 0.97┐"), (10, "┌star────┐"), (5, "┌st…┐"), (3, "┌─┐"), (2, "┌┐")]
)
def test_a_label_is_cut_to_its_box(width: int, edge: str) -> None:
    assert boxes([box(0, 0, 1, 1)], width, 3).text()[0] == edge


def test_a_small_box_stays_in_front_of_a_large_one() -> None:
    small, large = box(0.4, 0.4, 0.6, 0.7, label=""), box(0, 0, 1, 0.5, label="")
    for found in ([small, large], [large, small]):
        text = boxes(found, 20, 10).text()
        assert text[4][8:14] == "┌0.97┐"
        assert text[5][8:14] == "└────┘"


def test_classes_differ_in_colour() -> None:
    styles = {
        style
        for index in range(3)
        for row in boxes([box(0, 0, 1, 1, index=index)], 10, 4).runs()
        for _, style in row
        if style and "reverse" not in style
    }
    assert len(styles) == 3


@given(st.lists(items, max_size=6), sizes)
def test_whatever_the_items_the_picture_keeps_its_size_and_its_columns(
    found: list[dict[str, Any]], size: tuple[int, int]
) -> None:
    for draw in (boxes, bars):
        text = draw(found, *size).text()
        assert len(text) == size[1]
        assert all(len(row) == size[0] and row.isprintable() for row in text)


def test_a_bar_is_as_long_as_its_score() -> None:
    text = bars([{"label": "star", "score": 0.5, "index": 1}, {"label": "ring", "score": 0.0}], 41, 3).text()
    assert text == [
        "star           ██████████░░░░░░░░░░  0.50",
        "ring           ░░░░░░░░░░░░░░░░░░░░  0.00",
        " " * 41,
    ]


def test_an_item_without_a_score_is_told_in_words() -> None:
    assert bars([{"shape": [1, 10]}], 20, 1).text() == ["shape=[1, 10]       "]


def columns(grid: Grid) -> list[str]:
    """Turn the rows into columns, from below."""
    return ["".join(column) for column in zip(*reversed(grid.text()), strict=True)]


def test_the_newest_score_stands_at_the_right() -> None:
    assert chart([0.1, 1.0], 0.5, 2, 4).text() == [" ▐", "┄▐", " ▐", " ▟"]


@given(st.floats(0, 1), st.floats(0.05, 0.95), st.integers(2, 20))
def test_a_bar_reaches_beyond_the_threshold_exactly_when_its_score_does(
    score: float, threshold: float, height: int
) -> None:
    grid = chart([score, score], threshold, 1, height)
    [column] = columns(grid)
    marked = columns(chart([], threshold, 1, height))[0].index("┄")
    assert column[0] in "▄█"
    assert (column[marked] != "┄") == (score >= threshold)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=2), st.integers(2, 20))
def test_a_higher_score_has_no_shorter_bar(scores: list[float], height: int) -> None:
    low, high = (
        sum({"█": 2, "▄": 1}.get(one, 0) for one in columns(chart([score] * 2, 0.5, 1, height))[0])
        for score in sorted(scores)
    )
    assert low <= high


def test_only_the_newest_scores_that_fit_are_shown() -> None:
    long = [0.1] * 100 + [0.9] * 8
    assert chart(long, 0.5, 4, 6).text() == chart(long[-8:], 0.5, 4, 6).text()


def test_what_is_put_outside_of_a_grid_is_cut_off() -> None:
    grid = Grid(4, 2)
    grid.put(-1, 0, "abcdef")
    grid.put(0, 5, "x")
    grid.put(2, 1, "\x1b猫")
    assert grid.text() == ["bcde", "  ··"]
