"""Where a frame lies in a model's input, and the way back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.imaging.placing import Resize, place
from agent.types import WHOLE, Box

SIZES = st.tuples(st.integers(1, 2000), st.integers(1, 2000))
WAYS = st.sampled_from(["stretch", "letterbox", "crop"])
SHARES = st.floats(0, 1, allow_nan=False)


@st.composite
def regions(draw: st.DrawFn) -> Box:
    ys, xs = sorted((draw(SHARES), draw(SHARES))), sorted((draw(SHARES), draw(SHARES)))
    return ys[0], xs[0], ys[1], xs[1]


def test_a_stretched_frame_lies_in_the_input_as_it_is() -> None:
    found = place((480, 640), (96, 96))
    assert (found.taken, found.into, found.seen) == ((0, 0, 480, 640), (0, 0, 96, 96), WHOLE)
    assert found.point(0.1, 0.2) == (0.1, 0.2)


def test_a_letterboxed_frame_lies_in_the_middle_between_bars() -> None:
    found = place((480, 640), (320, 320), "letterbox")
    assert found.taken == (0, 0, 480, 640)
    assert found.into == (40, 0, 280, 320)
    assert found.point(40 / 320, 0) == (0, 0)
    assert found.point(280 / 320, 1) == (1, 1)
    assert found.point(0.5, 0.5) == (0.5, 0.5)
    assert found.point(0.05, 0.25) == (0, 0.25), "what lies in the bar is clipped"
    assert found.spread((0, 0, 1, 1)) == pytest.approx((-1 / 6, 0, 7 / 6, 1))
    assert found.area == pytest.approx(4 / 3)


def test_a_crop_shows_the_middle() -> None:
    found = place((480, 640), (96, 96), "crop")
    assert found.taken == (0, 80, 480, 560)
    assert found.into == (0, 0, 96, 96)
    assert found.spread((0, 0, 1, 1)) == found.seen == (0, 0.125, 1, 0.875)


@pytest.mark.parametrize("resize", ["stretch", "letterbox", "crop"])
def test_a_region_is_placed_as_a_frame_of_its_own(resize: Resize) -> None:
    found = place((400, 400), (100, 100), resize, (0.25, 0.5, 0.5, 0.75))
    assert found.taken == (100, 200, 200, 300)
    assert found.point(0.5, 0.5) == (0.375, 0.625)


def test_a_borders_share_that_is_a_hair_off_takes_no_pixel_more() -> None:
    found = place((480, 640), (96, 96), "stretch", (100 / 480, 33 / 640, 200 / 480 + 1e-12, 333 / 640))
    assert found.taken == (100, 33, 200, 333)


@given(SIZES, SIZES, WAYS, regions())
def test_what_is_taken_lies_in_the_frame_and_fills_a_part_of_the_input(
    frame: tuple[int, int], size: tuple[int, int], resize: Resize, region: Box
) -> None:
    found = place(frame, size, resize, region)
    for (top, left, bottom, right), (height, width) in ((found.taken, frame), (found.into, size)):
        assert 0 <= top < bottom <= height
        assert 0 <= left < right <= width


@given(SIZES, SIZES, WAYS, regions(), st.tuples(SHARES, SHARES))
def test_a_pixel_of_the_frame_is_found_again_where_it_lies_in_the_input(
    frame: tuple[int, int], size: tuple[int, int], resize: Resize, region: Box, at: tuple[float, float]
) -> None:
    found = place(frame, size, resize, region)
    taken, into = found.taken, found.into
    y, x = ((into[axis] + at[axis] * (into[axis + 2] - into[axis])) / size[axis] for axis in (0, 1))
    wanted = tuple(
        (taken[axis] + at[axis] * (taken[axis + 2] - taken[axis])) / frame[axis] for axis in (0, 1)
    )
    assert found.point(y, x) == pytest.approx(wanted, abs=2e-6)
