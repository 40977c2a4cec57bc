"""What is private is gone from a frame before anything else is made of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import example, given, reject, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.errors import InputRejected
from agent.imaging.rasters import hidden
from agent.pictures import Region
from agent.pipeline.privacy import Privacy
from agent.types import Frame

if TYPE_CHECKING:
    from agent.types import Array

shares = st.floats(0, 1, width=32)
points = st.tuples(shares, shares)


@st.composite
def regions(draw: st.DrawFn, how: str | None = None) -> Region:
    count = draw(st.sampled_from([2, 3, 4, 7]))
    corners = draw(st.lists(points, min_size=count, max_size=count))
    shape = "box" if count == 2 else "polygon"
    way = how or draw(st.sampled_from(["fill", "blur", "pixelate"]))
    try:
        return Region.model_validate({"shape": shape, "points": corners, "how": way})
    except ValidationError:  # its points lie on one line
        reject()


shapes = st.tuples(st.integers(1, 70), st.integers(1, 70), st.sampled_from([(), (1,), (3,), (4,)])).map(
    lambda one: (one[0], one[1], *one[2])
)


def picture(seed: int, shape: tuple[int, ...]) -> Array:
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def passed(privacy: Privacy, data: Array) -> Array:
    return privacy(Frame(0, 0, data)).data.copy()


@settings(max_examples=100, deadline=None)
@given(st.lists(regions("fill"), min_size=1, max_size=3), shapes, st.integers(0, 999))
def test_no_filled_pixel_has_any_influence_and_no_other_is_touched(
    them: list[Region], shape: tuple[int, ...], seed: int
) -> None:
    one, other = picture(seed, shape), picture(seed + 1, shape)
    mask = hidden(them, *shape[:2])
    other[~mask] = one[~mask]
    privacy = Privacy(them)
    assert (passed(privacy, one) == passed(privacy, other)).all()
    assert (passed(privacy, one)[~mask] == one[~mask]).all()


@settings(max_examples=100, deadline=None)
@given(st.lists(regions(), min_size=1, max_size=3), regions("fill"), shapes, st.integers(0, 999))
def test_what_is_filled_does_not_show_in_what_is_blurred_around_it(
    them: list[Region], filled: Region, shape: tuple[int, ...], seed: int
) -> None:
    one, other = picture(seed, shape), picture(seed + 1, shape)
    mask = hidden([filled], *shape[:2])
    other[~mask] = one[~mask]
    privacy = Privacy([*them, filled])
    assert (passed(privacy, one) == passed(privacy, other)).all()


@pytest.mark.parametrize("how", ["blur", "pixelate"])
@pytest.mark.parametrize("size", [(480, 640), (64, 64), (30, 200), (9, 9)])
def test_of_a_blurred_region_at_most_64_means_are_left(how: str, size: tuple[int, int]) -> None:
    region = Region.model_validate({"points": [(0, 0), (1, 1)], "how": how})
    height, width = size
    # A fine pattern has nearly the same mean in each cell, so nearly nothing is left of it.
    cells = Privacy([region])
    cells(Frame(0, 0, np.zeros((*size, 3), np.uint8)))
    assert cells._stencil is not None
    across, down = cells._stencil.patches[0].cells
    assert across <= 8
    assert down <= 8
    checks: Array = np.indices((height, width)).sum(axis=0) % 2
    fine = passed(cells, np.repeat((checks * 200).astype(np.uint8)[:, :, None], 3, axis=2))
    assert int(fine.max()) - int(fine.min()) <= 200 // 5


@settings(max_examples=100, deadline=None)
@given(regions(), shapes)
@example(Region(points=((0, 0.5), (1, 0))), (2, 1))
@example(Region(shape="polygon", points=((0.363, 0.37), (0.395, 0.346), (0.332, 0.249))), (24, 3))
@example(Region(shape="polygon", points=((1, 1), (1, 0.99), (0.2421875, 0.2421875))), (4, 4))
def test_a_region_covers_each_pixel_whose_centre_lies_in_it(region: Region, shape: tuple[int, ...]) -> None:
    height, width = shape[:2]
    mask = hidden([region], height, width)
    assert mask.any()
    if region.shape == "box":
        (x0, y0), (x1, y1) = region.points
        x, y = (np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height
        inside = ((y >= min(y0, y1)) & (y <= max(y0, y1)))[:, None] & (
            (x >= min(x0, x1)) & (x <= max(x0, x1))
        )
        assert mask[inside].all()
    for at_x, at_y in region.points:
        # What lies between two pixels touches both, and one of them is enough.
        rows = {min(int(at_y * height), height - 1), max(math.ceil(at_y * height) - 1, 0)}
        columns = {min(int(at_x * width), width - 1), max(math.ceil(at_x * width) - 1, 0)}
        assert mask[np.ix_([*rows], [*columns])].any()


@pytest.mark.parametrize(
    "corners",
    [
        ((1, 1), (1, 1), (0.2421875, 0.2421875)),
        ((0.1, 0.2), (0.2, 0.4), (0.3, 0.6), (0.15, 0.3)),
        ((0.5, 0), (0.5, 1), (0.5, 0.5)),
    ],
)
def test_a_polygon_whose_points_lie_on_one_line_is_refused(corners: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(ValidationError, match="it has no area: its points lie on one line"):
        Region(shape="polygon", points=corners)


def test_the_sources_own_buffer_is_left_as_it_is_and_may_be_read_only() -> None:
    data = picture(1, (40, 60, 3))
    before = data.copy()
    data.flags.writeable = False
    frame = Privacy([Region(points=((0, 0), (0.5, 0.5)))])(Frame(7, 8, data, "a.jpg"))
    assert (data == before).all()
    assert (frame.seq, frame.captured_ns, frame.origin) == (7, 8, "a.jpg")
    assert not frame.data[:20, :30].any()


def test_a_region_is_where_it_was_when_frames_change_their_size() -> None:
    privacy = Privacy([Region(points=((0.5, 0.5), (1.0, 1.0)))])
    for height, width in [(40, 60), (480, 640), (40, 60), (7, 5)]:
        data = passed(privacy, np.full((height, width, 3), 9, np.uint8))
        assert not data[(height + 1) // 2 :, (width + 1) // 2 :].any()
        assert (data[: height // 2] == 9).all()


@pytest.mark.parametrize(
    "data", [np.zeros((8, 3), np.float32), np.zeros((4, 4, 2), np.uint8), np.zeros((0, 4, 3), np.uint8)]
)
def test_what_is_no_picture_goes_no_further(data: np.ndarray[Any, Any]) -> None:
    with pytest.raises(InputRejected, match=r"is no picture\. Remove privacy from the pipeline"):
        Privacy([Region(points=((0, 0), (1, 1)))])(Frame(0, 0, data))
