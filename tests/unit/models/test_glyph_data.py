"""The pictures that the glyph classifier is trained and measured on."""

from __future__ import annotations

from itertools import islice

import cv2
import numpy as np

from agent.sources.synthesis.drawing import Camera
from agent.sources.synthesis.glyphs import LABELS
from models.glyphs import data


def test_a_picture_is_the_frame_stretched_in_rgb() -> None:
    frame = Camera(320, 240, 0, 6, 0).draw(3)
    picture = data.picture(frame)
    assert (picture.dtype.name, picture.shape) == ("uint8", (64, 64, 3))
    np.testing.assert_array_equal(picture[..., ::-1], cv2.resize(frame, (64, 64)))


def test_training_covers_every_glyph_about_equally_and_is_drawn_from_its_seed() -> None:
    images, labels = data.training_set(700, 5)
    again, same = data.training_set(700, 5)
    np.testing.assert_array_equal(images, again)
    np.testing.assert_array_equal(labels, same)
    counts = np.bincount(labels, minlength=len(LABELS))
    assert len(images) == 700
    assert counts.min() > 35
    assert len(np.unique(images.reshape(700, -1), axis=0)) == 700


def test_held_out_pictures_are_never_trained_on() -> None:
    trained = {image.tobytes() for image in data.training_set(350, 1)[0]}
    held = [
        image.tobytes() for name in data.CONDITIONS for image in data.held_out(name, 20, data.HELD_OUT)[0]
    ]
    assert not trained & set(held)


def test_conditions_keep_the_frames_that_they_name() -> None:
    cut, whole = data.CONDITIONS["cut by the border"].keep, data.CONDITIONS["wholly in view"].keep
    shown = [truth for _, truth in islice(data.samples(0, data.Setting()), 60)]
    assert [cut(one) for one in shown] == [not whole(one) for one in shown]
    assert {cut(one) for one in shown} == {True, False}
