"""The still place of the synthetic camera: one background, and what crosses it now and then."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.sources.synthesis.drawing import Camera
from agent.sources.synthesis.glyphs import SHAPE_LABELS
from agent.sources.synthesis.scene import SCENE_FRAMES
from agent.sources.synthesis.shapes import sights
from agent.sources.synthesis.still import scene
from agent.sources.synthetic import Options, build


@given(st.integers(0, 2**63 - 1), st.integers(0, 10**9), st.integers(96, 600), st.integers(96, 600))
def test_whatever_crosses_is_out_of_view_at_first_and_follows_from_its_arguments(
    seed: int, number: int, width: int, height: int
) -> None:
    shown = sights(seed, number * SCENE_FRAMES, width, height, scenes=scene)
    assert [one.visible for one in shown if one.visible > 0.01] == []
    assert scene(seed, number) == scene(seed, number)
    assert scene(seed, 0).movers == ()


def test_something_crosses_in_one_of_twelve_scenes_and_comes_into_full_view() -> None:
    busy = [number for number in range(1200) if scene(7, number).movers]
    assert 70 < len(busy) < 130
    assert {len(scene(7, number).movers) for number in busy} == {1, 2}
    for number in busy[:20]:
        halfway = sights(7, number * SCENE_FRAMES + SCENE_FRAMES // 2, 320, 240, scenes=scene)
        assert max(one.visible for one in halfway) > 0.9
        assert all(one.label in SHAPE_LABELS for one in halfway)


def test_the_background_is_the_same_in_all_scenes_and_what_crosses_it_differs_from_it() -> None:
    camera = Camera(160, 120, 7, 0, 0.5, scenes=scene)
    empty = camera.draw(0).copy()
    number = next(number for number in range(1, 100) if scene(7, number).movers)
    crossed = camera.draw(number * SCENE_FRAMES + SCENE_FRAMES // 2).copy()
    assert np.abs(crossed.astype(int) - empty).max() >= 40
    np.testing.assert_array_equal(camera.draw((number + 200) * SCENE_FRAMES), empty)


@pytest.mark.parametrize("seq", [0, 700])
def test_the_source_shows_it(seq: int) -> None:
    source = build(Options(scene="still", width=160, height=120, fps=0, seed=4), start=seq)
    frame = source.read(1.0)
    assert frame is not None
    np.testing.assert_array_equal(frame.data, Camera(160, 120, 4, 6, 0.1, scenes=scene).draw(seq))
