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


def test_the_eighth_steepest_pixel_counts_so_that_a_small_sharp_thing_is_enough() -> None:
    soft = np.tile(np.clip(np.linspace(-600, 840, 160), 0, 240).astype(np.uint8), (120, 1))
    assert look(soft, Health(blurred=10.3)).blurred
    soft[60, 20] = (
        255  # around it are 4 pixels of 24 levels and 4 of 22.6: 240 levels in 10.3 pixels are 23.3 each
    )
    assert look(soft, Health(blurred=10.3)).blurred
    soft[60:72, 20:32] = 255
    assert not look(soft, Health(blurred=10.3)).blurred


def test_what_is_blocked_is_not_blurred_as_well() -> None:
    marks = look(np.tile(np.linspace(0, 240, 160).astype(np.uint8), (120, 1)), Health())
    assert (marks.blocked, marks.blurred) == (True, False)


def test_tiles_that_are_mostly_hidden_do_not_count() -> None:
    picture, shown = plain(100), np.ones((120, 160), bool)
    shown[:12] = False  # of the first row of tiles less than half is left, and nothing in it
    for row, column in TILES[8:29]:
        picture[20 * row + 6 : 20 * row + 14, 20 * column + 6 : 20 * column + 14] = 200
    assert not look(picture, Health(blocked=0.5), shown).blocked  # 19 of 40


@pytest.mark.parametrize(("width", "blurred"), [(80, True), (160, False)])
def test_an_edge_is_as_wide_as_its_share_of_the_picture(width: int, blurred: bool) -> None:
    middle = width // 2
    row = np.interp(np.arange(width), [middle - 2.5, middle + 2.5], [60, 180]).astype(np.uint8)
    assert look(np.tile(row, (120, 1)), Health()).blurred is blurred


@pytest.mark.parametrize(("speck", "blocked"), [(54, True), (60, False)])
def test_a_tile_with_1_percent_of_traces_shows_nothing_yet(speck: int, blocked: bool) -> None:
    picture = plain(100)
    picture[50, 50] += np.uint8(speck)  # 4 of the 400 pixels of its tile change by 5 levels or more; or 8
    assert look(picture, Health(blocked=1.0)).blocked is blocked


def test_what_is_hidden_has_no_edge_and_where_hardly_anything_is_left_nothing_is_said() -> None:
    soft = np.tile(np.clip(np.linspace(-600, 840, 160), 0, 240).astype(np.uint8), (120, 1))
    soft[60:72, 20:32] = 255
    shown = np.ones((120, 160), bool)
    shown[50:80, 10:40] = False
    marks = look(soft, Health(), shown)
    assert marks.blurred
    assert not marks.edges[50:80, 10:40].any()
    shown[...] = False
    for some in (0, 9):
        shown[60, 100 : 100 + some] = True
        marks = look(soft, Health(), shown)
        assert (marks.black, marks.overexposed, marks.blocked) == (False,) * 3
