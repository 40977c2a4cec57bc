"""The limits of what one picture shows, each from both of its sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from agent.pictures import Health
from agent.pipeline._health_marks import look

if TYPE_CHECKING:
    from agent.types import Array

PIXELS = 120 * 160
TILES = [(row, column) for row in range(6) for column in range(8)]


def plain(level: int, *others: tuple[int, int]) -> Array:
    """Give a picture of one level, but for so many pixels of others."""
    picture = np.full(PIXELS, level, np.uint8)
    at = 0
    for count, other in others:
        picture[at : at + count] = other
        at += count
    return picture.reshape(120, 160)


@pytest.mark.parametrize(("level", "bright", "black"), [(24, 192, True), (24, 193, False), (25, 0, False)])
def test_it_is_black_when_99_percent_are_no_brighter_than_the_limit(
    level: int, bright: int, black: bool
) -> None:
    assert look(plain(level, (bright, 200)), Health()).black is black


@pytest.mark.parametrize(
    ("count", "level", "over"), [(9600, 252, True), (9599, 252, False), (9600, 251, False)]
)
def test_it_is_overexposed_when_the_share_is_white(count: int, level: int, over: bool) -> None:
    assert look(plain(100, (count, level)), Health(overexposed=0.5)).overexposed is over


def test_what_is_black_or_overexposed_is_neither_blocked_nor_blurred_as_well() -> None:
    for picture in (plain(0), plain(255)):
        marks = look(picture, Health(blurred=1))
        assert (marks.blocked, marks.blurred) == (False, False)
        assert marks.black is not marks.overexposed


@pytest.mark.parametrize(("busy", "blocked"), [(24, True), (25, False)])
def test_it_is_blocked_when_the_share_of_its_tiles_shows_nothing(busy: int, blocked: bool) -> None:
    picture = plain(100)
    for row, column in TILES[:busy]:
        picture[20 * row + 6 : 20 * row + 14, 20 * column + 6 : 20 * column + 14] = 200
    assert look(picture, Health(blocked=0.5)).blocked is blocked


@pytest.mark.parametrize(("step", "traced"), [(9, False), (16, True)])
def test_a_tile_shows_something_from_a_change_of_5_grey_levels_a_pixel_on(step: int, traced: bool) -> None:
    picture = plain(100)
    picture[:, 80:] += np.uint8(step)  # smoothed, half of the step is left between two neighbours
    assert look(picture, Health(blocked=1.0)).blocked is not traced


@pytest.mark.parametrize(("step", "edges"), [(24, False), (32, True)])
def test_an_edge_is_a_change_of_10_grey_levels_a_pixel(step: int, edges: bool) -> None:
    picture = plain(100)
    picture[:, 80:] += np.uint8(step)
    assert bool(look(picture, Health()).edges.any()) is edges


def test_one_dead_pixel_is_no_sharp_edge() -> None:
    soft = np.tile(np.clip(np.linspace(-600, 840, 160), 0, 240).astype(np.uint8), (120, 1))
    assert look(soft, Health()).blurred
    soft[60, 20] = 255  # fewer than 8 pixels around it are as steep
    assert look(soft, Health()).blurred


@pytest.mark.parametrize(("width", "blurred"), [(80, True), (160, False)])
def test_an_edge_is_as_wide_as_its_share_of_the_picture(width: int, blurred: bool) -> None:
    middle = width // 2
    row = np.interp(np.arange(width), [middle - 2.5, middle + 2.5], [60, 180]).astype(np.uint8)
    assert look(np.tile(row, (120, 1)), Health()).blurred is blurred
