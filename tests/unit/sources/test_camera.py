"""The synthetic camera's frames."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from agent.sources.synthesis.drawing import Camera
from agent.sources.synthesis.scene import SCENE_FRAMES, scene, truth


def test_a_frame_depends_on_seed_and_number_only_not_on_what_was_drawn_before() -> None:
    straight = Camera(160, 120, 7, 6, 0.5)
    frames = {seq: straight.draw(seq).copy() for seq in range(0, 3 * SCENE_FRAMES, 7)}
    jumping = Camera(160, 120, 7, 6, 0.5)
    for seq in sorted(frames, key=lambda one: (one * 31) % 97):
        np.testing.assert_array_equal(jumping.draw(seq), frames[seq])


@pytest.mark.parametrize("size", [(16, 16), (17, 300), (640, 480), (333, 1111)])
def test_any_size_is_drawn(size: tuple[int, int]) -> None:
    frame = Camera(*size, 0, 6, 1).draw(5)
    assert frame.shape == (size[1], size[0], 3)
    assert frame.std() > 3


def test_other_seeds_and_numbers_give_other_frames() -> None:
    frames = [Camera(64, 48, seed, 6, 0).draw(seq).copy() for seed, seq in ((0, 0), (1, 0), (0, 1), (0, 60))]
    for at, one in enumerate(frames):
        assert not any(np.array_equal(one, other) for other in frames[:at])


def test_all_frames_share_one_buffer() -> None:
    camera = Camera(64, 48, 0, 6, 0.5)
    assert len({camera.draw(seq).ctypes.data for seq in range(SCENE_FRAMES)}) == 1


@pytest.mark.parametrize("seq", range(0, 20 * SCENE_FRAMES, 97))
def test_the_glyph_fills_its_box_and_nothing_else(seq: int) -> None:
    """Pixels nearer to the ink than to the paper are where the truth says, to the pixel."""
    width, height = 640, 480
    frame = Camera(width, height, 3, 0, 0).draw(seq).astype(float)
    (shown,) = scene(3, seq // SCENE_FRAMES).movers
    ink = np.abs(frame - shown.ink).max(axis=2) < 2
    told = truth(3, seq, width, height)
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    found = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])
    box = np.array([told.left * width, told.top * height, told.right * width, told.bottom * height])
    assert np.abs(found - box).max() < 6  # a sharp tip is thinner than a pixel at its end


def test_noise_is_as_strong_as_asked_and_new_in_every_frame() -> None:
    quiet, noisy = Camera(640, 600, 2, 0, 0), Camera(640, 600, 2, 8, 0)
    grains = [noisy.draw(seq).astype(float) - quiet.draw(seq) for seq in (0, 1)]
    inner = [grain[(quiet.draw(0) > 40) & (quiet.draw(0) < 215)] for grain in grains]
    for grain in inner:
        assert grain.std() == pytest.approx(8, rel=0.03)
        assert abs(grain.mean()) < 0.1
    assert abs(np.mean(inner[0] * inner[1]) / 64) < 0.02


def test_the_share_of_blurred_frames_is_as_asked() -> None:
    sharp, some = Camera(160, 120, 4, 0, 0), Camera(160, 120, 4, 0, 0.25)
    for first in (0, SCENE_FRAMES, 2 * SCENE_FRAMES):
        blurred = [
            not np.array_equal(sharp.draw(seq), some.draw(seq)) for seq in range(first, first + SCENE_FRAMES)
        ]
        assert sum(blurred) == SCENE_FRAMES // 4


@pytest.mark.parametrize(
    ("size", "seed", "noise", "blur", "digest"),
    [
        ((640, 480), 7, 6, 0.1, "4cc079817f6a88895ede5cf02346fec73c5e0803ab33fa34fec4804918591098"),
        ((160, 120), 0, 0, 0, "7792e4733b1dccc9e44a30399e10b6d7dba1ea7b963f39938ca0c6c8bff30c8d"),
        ((320, 600), 3, 20, 1.0, "bd1d77cd7b20adbc01297cbe09fe6c77ab73ffada7d6a3f234fb8b86774df3ed"),
    ],
)
def test_glyph_frames_stay_what_they_were(
    size: tuple[int, int], seed: int, noise: float, blur: float, digest: str
) -> None:
    """Models are trained on them, and recordings are compared with them."""
    camera = Camera(*size, seed, noise, blur)
    frames = [camera.draw(seq).tobytes() for seq in range(0, 300, 23)]
    assert hashlib.sha256(b"".join(frames)).hexdigest() == digest
