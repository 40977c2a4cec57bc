"""What the synthetic camera looks at."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.sources.synthesis.glyphs import GLYPHS, LABELS
from agent.sources.synthesis.scene import SCENE_FRAMES, outlines, scene, truth

seeds = st.integers(0, 2**63 - 1)
sides = st.integers(16, 4096)


def test_there_are_ten_glyphs_of_about_unit_radius() -> None:
    assert len(LABELS) == 10
    assert list(LABELS) == sorted(GLYPHS)
    for label in LABELS:
        radius = np.hypot(*GLYPHS[label][0].T).max()
        assert 0.9 < radius < 1.1, label


@given(seeds, st.integers(0, 10**9), sides, sides)
def test_the_truth_is_a_glyph_in_view_and_follows_from_its_arguments(
    seed: int, seq: int, width: int, height: int
) -> None:
    shown = truth(seed, seq, width, height)
    assert shown.label in LABELS
    assert 0 <= shown.left < shown.right <= 1
    assert 0 <= shown.top < shown.bottom <= 1
    assert truth(seed, seq, width, height) == shown


@given(seeds, st.integers(0, 1000), sides, sides)
def test_a_glyph_glides_and_at_least_its_centre_stays_in_view(
    seed: int, number: int, width: int, height: int
) -> None:
    (shown,) = scene(seed, number).movers
    poses = [shown.pose(at, width, height) for at in range(SCENE_FRAMES)]
    short = min(width, height)
    for before, after in pairwise(poses):
        assert math.hypot(after.x - before.x, after.y - before.y) < 0.02 * short
        assert abs(after.radius - before.radius) < 0.01 * short
        assert abs(after.angle - before.angle) <= 0.02
    for pose in poses:
        assert 0.15 * short < pose.radius < 0.45 * short
        assert 0.49 * pose.radius <= pose.x <= width - 0.49 * pose.radius
        assert 0.49 * pose.radius <= pose.y <= height - 0.49 * pose.radius


def test_scenes_show_every_glyph_about_equally_often() -> None:
    seen = [scene(5, number).movers[0].label for number in range(2000)]
    counts = [seen.count(label) for label in LABELS]
    assert min(counts) > 140
    assert max(counts) < 260


@pytest.mark.parametrize("number", range(20))
def test_glyph_and_background_differ_clearly_in_brightness(number: int) -> None:
    shown = scene(1, number)
    grey = [float(np.mean(colour)) for colour in (shown.movers[0].ink, *shown.paper)]
    assert min(abs(grey[0] - paper) for paper in grey[1:]) > 50


def test_the_glyph_is_turned_about_its_centre_and_enlarged_to_its_radius() -> None:
    pose = scene(0, 0).movers[0].pose(0, 640, 480)
    for label in LABELS:
        (rim, *_), (unit, *_) = outlines(label, pose), GLYPHS[label]
        np.testing.assert_allclose(
            np.hypot(*(rim - (pose.x, pose.y)).T), np.hypot(*unit.T) * pose.radius, rtol=1e-9
        )
