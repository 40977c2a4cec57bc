"""Masks, keypoints, events and made pictures, drawn pixel by pixel where they belong."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.imaging import masks
from agent.pipeline._captions import COLOURS
from agent.pipeline.draw import annotated
from agent.types import WHOLE, Result

if TYPE_CHECKING:
    from agent.types import Array, Box

GREY = 128


def picture(height: int = 480, width: int = 640) -> Array:
    return np.full((height, width, 3), GREY, np.uint8)


def tinted(drawn: Array) -> Array:
    return np.asarray((drawn != GREY).any(axis=2))


def masked(grid: Array, within: Box = WHOLE) -> Result:
    item = {"label": "", "index": 1, "score": 1.0, "mask": masks.encode(grid.astype(bool), within)}
    return Result("segmentation", (item,))


def test_a_mask_tints_the_pixels_that_it_covers_and_no_other() -> None:
    grid = np.zeros((4, 4), np.uint8)
    grid[2:, 2:] = 1
    drawn = annotated(picture(), masked(grid))
    assert tinted(drawn)[240:, 320:].all()
    assert not tinted(drawn)[100:240].any()  # above, there is the caption
    assert not tinted(drawn)[100:, :320].any()


def test_a_mask_whose_grid_reaches_beyond_the_picture_is_cut_at_its_edge() -> None:
    drawn = annotated(picture(), masked(np.ones((8, 8), np.uint8), (-0.5, 0.5, 1.5, 1.5)))
    assert tinted(drawn)[100:, 320:].all()
    assert not tinted(drawn)[100:, :320].any()
    assert not tinted(annotated(picture(), masked(np.ones((2, 2), np.uint8), (2.0, 0.0, 3.0, 1.0))))[
        100:
    ].any()


shares = st.floats(-1, 1)
grids = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(
    lambda shape: st.lists(st.booleans(), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]).map(
        lambda cells: np.array(cells, np.uint8).reshape(shape)
    )
)


@given(grids, shares, shares, st.floats(0.01, 2))
def test_a_pixel_is_tinted_where_the_cell_below_its_centre_is_set(
    grid: Array, top: float, left: float, side: float
) -> None:
    drawn = tinted(annotated(picture(240, 240), masked(grid, (top, left, top + side, left + side))))
    y, x = 200, 120
    high, wide = grid.shape
    row, column = ((y + 0.5) / 240 - top) / side * high, ((x + 0.5) / 240 - left) / side * wide
    edge = min(abs(row - round(row)), abs(column - round(column))) < 1e-6
    within = 0 <= row < high and 0 <= column < wide
    rows = round(top * 240) <= y < round((top + side) * 240)
    columns = round(left * 240) <= x < round((left + side) * 240)
    if not edge and within == (rows and columns):  # the outermost pixels are those nearest to the edge
        assert bool(drawn[y, x]) == (within and bool(grid[int(row), int(column)]))


def pose(**points: tuple[float, float, float]) -> Result:
    keypoints = [
        {"label": name.replace("_", " "), "index": number, "point": [y, x], "score": score}
        for number, (name, (y, x, score)) in enumerate(points.items())
    ]
    person = {"label": "person", "index": 0, "score": 0.9, "box": [0.3, 0.3, 0.9, 0.9]}
    return Result("pose", ({**person, "keypoints": keypoints},))


def test_keypoints_that_are_sure_are_drawn_with_the_limb_between_them() -> None:
    drawn = tinted(
        annotated(
            picture(), pose(left_elbow=(0.5, 0.5, 0.9), left_wrist=(0.5, 0.75, 0.9), nose=(0.8, 0.5, 0.1))
        )
    )
    assert drawn[240, 318:480].all()  # the limb
    assert drawn[236, 320]  # the point is wider than the limb
    assert not drawn[384, 310:330].any()  # the nose is a guess
    assert not drawn[432, 300:340].any()  # there is no box round it


def test_the_caption_of_a_person_leaves_the_face_free() -> None:
    drawn = tinted(annotated(picture(), pose()))
    eyes, height = round(0.3 * 480), round(0.6 * 480)
    rows = np.flatnonzero(drawn.any(axis=1))
    assert 0 < eyes - rows.max() <= 0.12 * height
    assert eyes - rows.max() >= 0.08 * height


def test_a_picture_that_the_model_made_stands_beside_the_frame() -> None:
    made = np.full((10, 20, 3), (0, 0, 255), np.uint8)
    packed = base64.b64encode(cv2.imencode(".png", made)[1].tobytes()).decode()
    drawn = annotated(picture(), Result("image", ({"size": [10, 20], "channels": 3, "png": packed},)))
    assert drawn.shape == (480, 640 + 960, 3)
    assert (drawn[:, 640:] == (0, 0, 255)).all()


def test_events_stand_below_what_was_found() -> None:
    found = Result("classification", ({"label": "cat", "index": 0, "score": 0.9},))
    told = Result("classification", found.items, ({"event": "zone.entered", "zone": "door"},))
    without, with_event = annotated(picture(), found), annotated(picture(), told)
    differ = np.flatnonzero((without != with_event).any(axis=2).any(axis=1))
    assert differ.size
    assert differ.min() >= np.flatnonzero(tinted(without).any(axis=1)).max()


@pytest.mark.parametrize(("one", "two"), [({"track": 1}, {"track": 2}), ({"index": 1}, {"index": 2})])
def test_two_of_a_class_have_the_colours_of_their_tracks(one: dict[str, int], two: dict[str, int]) -> None:
    def item(**more: Any) -> dict[str, Any]:
        return {"label": "", "index": 5, "score": 0.9, "box": [0.3, 0.3, 0.6, 0.6]} | more

    for number, more in ((1, one), (2, two)):
        drawn = annotated(picture(), Result("detection", (item(**more),)))
        assert (np.abs(drawn.astype(int) - COLOURS[number]).max(axis=2) < 8).any()
