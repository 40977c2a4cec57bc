"""The pictures that the shape detector is trained and measured on."""

from __future__ import annotations

from itertools import islice

import cv2
import numpy as np

from agent.sources.synthesis.drawing import Camera
from agent.sources.synthesis.glyphs import SHAPE_LABELS
from agent.sources.synthesis.shapes import MOST, scene
from models.shapes import data


def test_a_picture_is_the_frame_stretched_in_rgb() -> None:
    frame = Camera(320, 240, 0, 6, 0, scenes=scene).draw(3)
    picture = data.picture(frame)
    assert (picture.dtype.name, picture.shape) == ("uint8", (96, 128, 3))
    np.testing.assert_array_equal(picture[..., ::-1], cv2.resize(frame, (128, 96)))


def test_training_is_drawn_from_its_seed_and_half_of_it_has_a_shape_half_hidden() -> None:
    images, shown = data.training_set(180, 5)
    again, same = data.training_set(180, 5)
    np.testing.assert_array_equal(images, again)
    np.testing.assert_array_equal(shown, same)
    assert shown.shape == (180, MOST, 6)
    assert len(np.unique(images.reshape(180, -1), axis=0)) == 180
    there = shown[..., 0] >= 0
    assert there.any(axis=1).all()
    assert set(np.unique(shown[..., 0])) == {-1.0, *map(float, range(len(SHAPE_LABELS)))}
    assert (shown[..., 1:3] <= shown[..., 3:5])[there].all()
    half = (there & (shown[..., 5] >= 0.4) & (shown[..., 5] <= 0.75)).any(axis=1)
    assert 0.5 <= half.mean() < 0.8


def test_held_out_pictures_are_never_trained_on() -> None:
    trained = {image.tobytes() for image in data.training_set(120, 1)[0]}
    for name in data.CONDITIONS:
        held = islice(data.held_out(name, data.HELD_OUT), 10)
        assert not trained & {data.picture(frame).tobytes() for frame, _ in held}


def test_the_occluded_frames_have_a_shape_of_which_40_to_75_percent_are_visible() -> None:
    for _, shown in islice(data.held_out("occluded", data.HELD_OUT), 20):
        assert any(0.4 <= one.visible <= 0.75 for one in shown)
    usual = list(islice(data.held_out(data.USUAL, data.HELD_OUT), 50))
    assert any(all(one.visible > 0.75 for one in shown) for _, shown in usual)
