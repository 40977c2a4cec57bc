"""Scenes of several shapes: what is drawn, and what the truth says of it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.sources.synthesis.drawing import Camera
from agent.sources.synthesis.glyphs import GLYPHS, SHAPE_LABELS, SHAPES
from agent.sources.synthesis.scene import SCENE_FRAMES
from agent.sources.synthesis.shapes import MOST, Sight, scene, sights
from agent.sources.synthetic import Options, build

seeds = st.integers(0, 2**63 - 1)
sides = st.integers(16, 1000)


def test_there_are_five_shapes_of_about_unit_radius_and_three_are_glyphs() -> None:
    assert SHAPE_LABELS == ("circle", "cross", "square", "star", "triangle")
    for label in SHAPE_LABELS:
        assert 0.9 < np.hypot(*SHAPES[label][0].T).max() < 1.1
        assert len(SHAPES[label]) == 1
        assert SHAPES[label] is GLYPHS.get(label, SHAPES[label])


@given(seeds, st.integers(0, 10**9), sides, sides)
def test_the_truth_is_one_to_six_shapes_and_follows_from_its_arguments(
    seed: int, seq: int, width: int, height: int
) -> None:
    shown = sights(seed, seq, width, height)
    assert 1 <= len(shown) <= MOST
    for one in shown:
        top, left, bottom, right = one.box
        assert one.label in SHAPE_LABELS
        assert 0 <= top < bottom <= 1
        assert 0 <= left < right <= 1
        assert 0 <= one.visible <= 1
    assert sights(seed, seq, width, height) == shown


def test_numbers_and_shapes_come_about_equally_often() -> None:
    scenes = [scene(5, number) for number in range(2000)]
    counts = np.bincount([len(one.movers) for one in scenes])[1:]
    assert len(counts) == MOST
    assert counts.min() > 270
    labels = [mover.label for one in scenes for mover in one.movers]
    shares = np.array([labels.count(label) for label in SHAPE_LABELS]) / len(labels)
    assert shares.min() > 0.18


def test_colours_differ_from_the_paper_and_from_each_other() -> None:
    for number in range(300):
        shown = scene(2, number)
        colours = np.array([*shown.paper, *(mover.ink for mover in shown.movers)])
        for at in range(2, len(colours)):
            assert np.abs(colours[at] - colours[:at]).max(axis=1).min() >= 40


def ink(frame: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    near: np.ndarray = np.abs(frame.astype(int) - colour).max(axis=2) <= 1
    return near


@pytest.mark.parametrize("seq", range(0, 40 * SCENE_FRAMES, 97))
def test_what_is_visible_is_what_is_drawn(seq: int) -> None:
    """Each shape's own colour covers its visible share of its area, within its box and nowhere else."""
    width, height = 640, 480
    frame = Camera(width, height, 3, 0, 0, scenes=scene).draw(seq)
    number, at = divmod(seq, SCENE_FRAMES)
    movers = scene(3, number).movers
    for mover, one in zip(movers, sights(3, seq, width, height), strict=True):
        rim = SHAPES[mover.label][0] * mover.pose(at, width, height).radius
        area = 0.5 * abs(np.sum(rim[:, 0] * np.roll(rim[:, 1], -1) - rim[:, 1] * np.roll(rim[:, 0], -1)))
        marked = ink(frame, mover.ink)
        assert marked.sum() / area == pytest.approx(one.visible, abs=0.06)  # rims are blended
        top, left, bottom, right = np.array(one.box) * [height, width, height, width]
        rows, columns = np.nonzero(marked)
        if rows.size:
            assert top - 1 <= rows.min() <= rows.max() <= bottom + 1
            assert left - 1 <= columns.min() <= columns.max() <= right + 1
        if one.visible == 1:
            reached = [rows.min(), columns.min(), rows.max() + 1, columns.max() + 1]
            assert np.abs(np.subtract(reached, (top, left, bottom, right))).max() < 6  # a tip is thin


def test_later_shapes_are_in_front_and_hidden_parts_are_counted() -> None:
    told = [sights(9, number * SCENE_FRAMES, 640, 480) for number in range(400)]
    every = [one for shown in told for one in shown]
    assert all(shown[-1].visible == 1 or touches_the_edge(shown[-1]) for shown in told)
    hidden = [one for one in every if not touches_the_edge(one) and one.visible < 0.9]
    assert len(hidden) > 50
    assert 0.02 < np.mean([one.visible < 0.4 for one in every]) < 0.06


def touches_the_edge(one: Sight) -> bool:
    return min(one.box[:2]) <= 0 or max(one.box[2:]) >= 1


def test_shapes_glide() -> None:
    for number in range(20):
        for mover in scene(1, number).movers:
            poses = [mover.pose(at, 640, 480) for at in range(SCENE_FRAMES)]
            for before, after in pairwise(poses):
                assert np.hypot(after.x - before.x, after.y - before.y) < 0.02 * 480


def test_the_camera_shows_them_when_it_is_told_to() -> None:
    given_seed = {"width": 160, "height": 120, "fps": 0, "seed": 4}
    source = build(Options(**given_seed, scene="shapes"), start=70)
    frame = source.read(0)
    assert frame is not None
    np.testing.assert_array_equal(frame.data, Camera(160, 120, 4, 6, 0.1, scenes=scene).draw(70))
    glyph = build(Options(**given_seed), start=70).read(0)
    assert glyph is not None
    assert not np.array_equal(glyph.data, frame.data)
