"""What is drawn, pixel by pixel: boxes where they must be, captions that stay inside and can be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import FolderUnusable
from agent.pipeline import _captions
from agent.pipeline._captions import COLOURS, Place, ink_on, type_for
from agent.pipeline.draw import Draughtsman, annotated
from agent.pipeline.plot import HEIGHT, WIDTH, is_window, plot
from agent.pipeline.slot import Item
from agent.types import FrameInfo, Result
from tests.simulators.small_engine import engine

if TYPE_CHECKING:
    from pathlib import Path

    from agent.types import Array

SIZES = [(96, 128), (480, 640), (2160, 3840), (720, 240)]
GREY = 128


def picture(height: int, width: int) -> Array:
    return np.full((height, width, 3), GREY, np.uint8)


def detection(*items: dict[str, Any]) -> Result:
    return Result("detection", items)


def box(*corners: float, label: str = "star", index: int = 0) -> dict[str, Any]:
    return {"label": label, "index": index, "score": 0.97, "box": list(corners)}


def near(pixels: Array, colour: tuple[int, int, int], tolerance: int = 24) -> Array:
    """Where the picture has a colour, nearly: bool (height, width)."""
    return np.asarray((np.abs(pixels.astype(int) - colour) <= tolerance).all(axis=2))


def changed(pixels: Array) -> Array:
    return ~near(pixels, (GREY, GREY, GREY), 0)


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_a_boxs_lines_stand_where_the_box_is(height: int, width: int) -> None:
    drawn = annotated(picture(height, width), detection(box(0.5, 0.25, 0.75, 0.75)))
    height, width = drawn.shape[:2]
    green = near(drawn, COLOURS[0])
    middle, across = round(0.625 * height), round(0.5 * width)
    rows, columns = np.flatnonzero(green[:, across]), np.flatnonzero(green[middle])
    slack = max(2, min(height, width) // 100)
    assert abs(rows.min() - height / 2) <= slack or rows.min() < height / 2  # the caption may reach so far
    assert abs(rows.max() - height * 3 / 4) <= slack
    assert abs(columns.min() - width / 4) <= slack
    assert abs(columns.max() - width * 3 / 4) <= slack
    inside = drawn[middle - slack : middle + slack, round(0.4 * width) : round(0.6 * width)]
    assert (inside == GREY).all()


def test_a_white_line_is_round_the_region_that_the_model_was_shown_and_none_round_the_whole() -> None:
    found = detection(box(0.4, 0.4, 0.6, 0.6))
    drawn = annotated(picture(480, 640), found, (0.25, 0.25, 0.75, 0.75))
    rows, columns = np.nonzero(near(drawn, (255, 255, 255)))
    assert abs(rows.min() - 120) <= 3
    assert abs(rows.max() - 360) <= 3
    assert abs(columns.min() - 160) <= 3
    assert abs(columns.max() - 480) <= 3
    assert not near(annotated(picture(480, 640), found), (255, 255, 255)).any()


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_nothing_is_drawn_away_from_the_box_and_its_caption(height: int, width: int) -> None:
    drawn = annotated(picture(height, width), detection(box(0.5, 0.25, 0.75, 0.75)))
    touched = changed(drawn)
    rows, columns = np.flatnonzero(touched.any(axis=1)), np.flatnonzero(touched.any(axis=0))
    height, width = drawn.shape[:2]
    caption = type_for(min(height, width)).size("star 0.97")
    slack = max(4, min(height, width) // 60)
    assert rows.min() >= height / 2 - caption[1] - slack
    assert rows.max() <= height * 3 / 4 + slack
    assert columns.min() >= width / 4 - slack
    assert columns.max() <= max(width * 3 / 4, width / 4 + caption[0]) + slack


@pytest.mark.parametrize("corners", [(0, 0, 1, 1), (0, 0, 0.05, 0.05), (0.95, 0.95, 1, 1), (0, 0.97, 1, 1)])
def test_a_box_at_the_edge_is_drawn_whole_with_its_caption(corners: tuple[float, ...]) -> None:
    drawn = annotated(picture(480, 640), detection(box(*corners)))
    green = near(drawn, COLOURS[0])
    wide, high = type_for(480).size("star 0.97")
    solid = cv2.boxFilter(green.astype(np.float32), -1, (wide - 4, high - 4), borderType=cv2.BORDER_CONSTANT)
    assert solid.max() > 0.6  # the caption's ground, its letters aside
    top, left, bottom, right = corners
    low, far = min(round(bottom * 480), 479), min(round(right * 640), 639)
    assert green[max(0, low - 6) : low + 2, round((left + right) / 2 * 640) - 1].any()
    assert green[round((top + bottom) / 2 * 480) - 1, max(0, far - 6) : far + 2].any()


def test_a_small_picture_is_enlarged_and_a_large_one_keeps_its_size() -> None:
    assert annotated(picture(96, 128), detection()).shape == (288, 384, 3)
    assert annotated(picture(1, 1), detection()).shape == (240, 240, 3)
    assert annotated(picture(1, 3_000_000), detection()).shape == (1, 3_000_000, 3)
    assert annotated(picture(480, 640), detection()).shape == (480, 640, 3)
    untouched = picture(480, 640)
    annotated(untouched, detection(box(0, 0, 1, 1)))
    assert (untouched == GREY).all()


def test_captions_of_neighbours_do_not_cover_each_other() -> None:
    twins = [box(0.4, 0.4, 0.7, 0.7, index=0), box(0.41, 0.41, 0.71, 0.71, index=1)]
    drawn = annotated(picture(480, 640), detection(*twins))
    wide, high = type_for(480).size("star 0.97")
    for index in (0, 1):
        ground = near(drawn, COLOURS[index]).astype(np.float32)
        assert cv2.boxFilter(ground, -1, (wide - 4, high - 4), borderType=cv2.BORDER_CONSTANT).max() > 0.6


def test_the_letters_stand_out_from_every_labels_ground() -> None:
    def luminance(colour: tuple[int, int, int]) -> float:
        linear = [
            c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in (x / 255 for x in colour)
        ]
        return 0.0722 * linear[0] + 0.7152 * linear[1] + 0.2126 * linear[2]

    for colour in COLOURS:
        low, high = sorted((luminance(colour), luminance(ink_on(colour))))
        assert (high + 0.05) / (low + 0.05) >= 3.9, colour


@given(st.text(max_size=300), st.integers(0, 900), st.sampled_from([240, 480, 2160]))
def test_a_cut_text_fits_its_room(text: str, room: int, short: int) -> None:
    style = type_for(short)
    cut = style.cut(text, room)
    assert cut == "" or style.size(cut)[0] <= room
    assert cut.isascii()


def test_a_long_label_ends_in_dots_and_a_short_one_is_left() -> None:
    style = type_for(480)
    assert style.cut("star 0.97", 300) == "star 0.97"
    cut = style.cut("a station wagon of the seventies 0.97", 150)
    assert cut.startswith("a stat")
    assert cut.endswith("...")


corner = st.floats(0, 1)
items = st.fixed_dictionaries(
    {},
    optional={
        "box": st.tuples(corner, corner, corner, corner).map(
            lambda c: [min(c[0], c[2]), min(c[1], c[3]), max(c[0], c[2]), max(c[1], c[3])]
        ),
        "label": st.text(max_size=60),
        "score": st.floats(0, 1),
        "index": st.integers(0, 100_000),
    },
)


@given(st.lists(items, max_size=40), st.integers(1, 700), st.integers(1, 700))
def test_any_result_can_be_drawn_on_any_picture(found: list[dict[str, Any]], height: int, width: int) -> None:
    drawn = annotated(picture(height, width), Result("detection", tuple(found)))
    assert drawn.dtype == np.uint8
    assert drawn.shape[0] % height == drawn.shape[1] % width == 0


def test_classes_are_listed_in_the_upper_left_corner() -> None:
    classes = [{"label": f"class {n}", "index": n, "score": 0.5} for n in range(3)]
    drawn = annotated(picture(480, 640), Result("classification", tuple(classes)))
    assert all(near(drawn, COLOURS[n]).any() for n in range(3))
    assert not changed(drawn)[240:].any()
    assert not changed(drawn)[:, 320:].any()


def test_a_place_is_moved_into_the_picture() -> None:
    assert Place(-5, -7, 5, 3).moved_into(100, 50) == Place(0, 0, 10, 10)
    assert Place(95, 45, 105, 55).moved_into(100, 50) == Place(90, 40, 100, 50)
    assert Place(0, 0, 10, 10).overlaps(Place(9, 9, 20, 20))
    assert not Place(0, 0, 10, 10).overlaps(Place(10, 0, 20, 10))


def wave(samples: int, channels: int) -> Array:
    at = np.linspace(0, 6 * np.pi, samples)
    return np.stack([np.sin(at + n) for n in range(channels)], axis=1).astype(np.float32)


ANOMALY = Result("anomaly", ({"label": "anomaly", "index": 1, "score": 0.83},))


def test_a_window_is_drawn_as_a_curve_a_channel_with_the_result_as_caption() -> None:
    drawn = plot(wave(512, 3), ANOMALY)
    assert drawn.shape == (HEIGHT, WIDTH, 3)
    rows = [np.flatnonzero(near(drawn, COLOURS[n], 50).any(axis=1)) for n in (2, 3, 4)]
    assert all(len(one) > 100 for one in rows)
    assert rows[0].max() < rows[1].min() < rows[1].max() < rows[2].min()
    assert near(drawn, COLOURS[1])[:30, :100].mean() > 0.5


def test_a_curve_runs_from_edge_to_edge_and_follows_the_samples() -> None:
    blue = near(plot(np.arange(400, dtype=np.float32), ANOMALY), COLOURS[2], 60)
    columns = np.flatnonzero(blue.any(axis=0))
    assert columns.max() - columns.min() > 0.85 * WIDTH
    heights = [np.flatnonzero(blue[:, column]).mean() for column in columns[:: len(columns) // 10]]
    assert heights == sorted(heights, reverse=True)


def forecast(*indices: int) -> Result:
    items = [
        {"label": "x", "index": index, "step": step, "value": 4.0} for step in (1, 2) for index in indices
    ]
    return Result("forecast", tuple(items))


def test_a_forecast_goes_on_where_its_channel_ends() -> None:
    samples = np.arange(9, dtype=np.float32)
    red = np.flatnonzero(near(plot(samples, forecast(0)), COLOURS[1], 60)[60:].any(axis=0))
    left, right = 96, WIDTH - 16
    assert abs(red.min() - (left + 0.8 * (right - left))) <= 4  # 8 steps are behind, 2 ahead
    assert red.max() >= right - 4


def test_a_forecast_of_other_quantities_than_the_channels_is_no_curve() -> None:
    assert not near(plot(wave(64, 3), forecast(0, 1)), COLOURS[1], 20)[60:].any()


def test_a_single_peak_of_many_samples_is_not_lost() -> None:
    samples = np.zeros(200_000, np.float32)
    samples[77_777] = 1
    blue = near(plot(samples, ANOMALY), COLOURS[2], 90)
    assert np.flatnonzero(blue.any(axis=1)).min() < HEIGHT / 4


@given(
    st.integers(1, 40), st.integers(1, 20), st.sampled_from([np.float16, np.float32, np.float64]),
    st.sampled_from([0.0, 1.0, np.nan, np.inf, 1e30]),
)  # fmt: skip
def test_any_window_can_be_drawn(samples: int, channels: int, dtype: Any, value: float) -> None:
    with np.errstate(over="ignore"):
        data = np.ones((1, samples, channels)).astype(dtype)
        data[0, 0, 0] = value
        data[0, -1, -1] = -value
    if is_window(data):
        assert plot(data, Result("tensor", ())).shape == (HEIGHT, WIDTH, 3)
    else:
        assert data.size == 1


@pytest.mark.parametrize(
    ("data", "drawn"),
    [
        (picture(100, 100), True),
        (wave(64, 2), True),
        (wave(64, 1)[:, 0], True),
        (wave(64, 1)[np.newaxis], True),
        (np.zeros((4, 4, 4), np.float32), False),
        (np.zeros((64, 3), np.int8), False),
        (np.zeros((8, 8), np.uint8), False),
    ],
    ids=["picture", "window", "one channel", "batch of one", "volume", "integers", "grey"],
)
def test_pictures_and_windows_are_written_and_other_tensors_are_left_out(
    tmp_path: Path, data: Array, *, drawn: bool
) -> None:
    item = Item(0, FrameInfo(7, 0, 1, 1, "in/shot.npy"), engine())
    Draughtsman(tmp_path / "out")(data, item, ANOMALY)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["00007-shot.png"] * drawn


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderUnusable, match=r"draw into .*Give a folder that can be written"):
        Draughtsman(tmp_path / "file" / "out")


def test_a_stack_stops_where_the_picture_ends() -> None:
    style = type_for(240)
    rows = [("row", COLOURS[0])] * 50
    high = style.size("row")[1]
    assert _captions.stack(picture(100, 300), rows, style) == 100 // high
