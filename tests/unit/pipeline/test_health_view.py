"""When the edges of a picture are those of another view."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from agent.pipeline._health_view import View

if TYPE_CHECKING:
    from agent.types import Array

MOVED = 0.5
ROWS, COLUMNS = np.mgrid[3:114:6, 3:150:6].reshape(2, -1)
"""Edges that are too far from each other to be taken for one another."""
COUNT = len(ROWS)


def edges(*parts: tuple[int, int, slice]) -> Array:
    """Draw some of the points, each part moved down and to the right."""
    picture = np.zeros((120, 160), bool)
    for down, right, which in parts:
        picture[ROWS[which] + down, COLUMNS[which] + right] = True
    return picture


ALL = slice(None)


def moves(picture: Array) -> bool:
    """Learn the points for ten seconds; say whether this picture is of another view then."""
    view = View(10, MOVED)
    assert not any(view.moves(edges((0, 0, ALL)), 1.0) for _ in range(10))
    return view.moves(picture, 1.0)


@pytest.mark.parametrize(("shift", "moved"), [(0, False), (1, False), (2, True), (3, True)])
def test_an_edge_may_be_a_pixel_away_and_no_more(shift: int, moved: bool) -> None:
    assert moves(edges((shift, 0, ALL))) is moved


# Dilated, the points cover 22% of the picture: (0.55 - 0.22) / 0.78 is 0.42, (0.7 - 0.22) / 0.78 is 0.62.
@pytest.mark.parametrize(("share", "moved"), [(0.55, True), (0.7, False)])
def test_the_share_is_of_what_chance_would_not_give(share: float, moved: bool) -> None:
    stay = round(share * COUNT)
    assert moves(edges((0, 0, slice(stay)), (3, 3, slice(stay, None)))) is moved


def test_many_more_edges_than_there_were_are_no_other_view_while_the_old_ones_are_there() -> None:
    stay = round(0.9 * COUNT)
    assert not moves(edges((0, 0, slice(stay)), (3, 3, ALL), (0, 3, ALL)))
