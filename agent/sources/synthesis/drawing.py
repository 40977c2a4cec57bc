"""Draws the synthetic camera's frames: scene, focus, sensor noise."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from agent.sources.synthesis.scene import SCENE_FRAMES, Scene, outlines, scene

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.types import Array

_PAPER, _TILES, _SHIFT = 1, 2, 3
"""Which random stream of the seed: the scenes themselves use stream 0."""
_STRIP = 256
"""Rows of noise kept: a taller frame gets several strips, each from a place of its own in the tile."""
_ROAM = 64
"""Pixels by which the noise tile is larger than a strip, each way."""
_FRACTION = 4
"""Bits of a pixel that outlines are rounded to."""


class Camera:
    """Draws frame ``seq`` into a buffer of its own.

    Args:
        width: of a frame, pixels.
        height: of a frame, pixels.
        seed: everything follows from it.
        noise: standard deviation of the sensor noise, grey levels.
        blur: share of each scene's frames that are out of focus, in [0, 1].
        scenes: gives the recipe of a scene from the seed and the scene's number.
    """

    def __init__(
        self,
        width: int,
        height: int,
        seed: int,
        noise: float,
        blur: float,
        *,
        scenes: Callable[[int, int], Scene] = scene,
    ) -> None:
        self._size = (width, height)
        self._seed = seed
        self._blurred = round(blur * SCENE_FRAMES)
        self._frame = np.empty((height, width, 3), np.uint8)
        self._paper = np.empty_like(self._frame)
        self._number = -1
        self._scenes = scenes
        self._scene = scenes(seed, 0)
        self._tiles = _noise_tiles(seed, min(height, _STRIP), width, noise) if noise > 0 else None

    def draw(self, seq: int) -> Array:
        """Give frame ``seq``: uint8 (height, width, 3), BGR, overwritten by the next call."""
        number, at = divmod(seq, SCENE_FRAMES)
        if number != self._number:
            self._enter(number)
        begin, width = self._scene.focus_loss
        sharp = (at - int(begin * SCENE_FRAMES)) % SCENE_FRAMES >= self._blurred
        kernel = 1 if sharp else 1 + 2 * round(width * min(self._size))
        np.copyto(self._frame, self._paper)
        self._ink(self._frame, at)
        if kernel > 1:
            cv2.blur(self._frame, (kernel, kernel), dst=self._frame)
        if self._tiles is not None:
            self._add_noise(seq, *self._tiles)
        return self._frame

    def _enter(self, number: int) -> None:
        self._scene = self._scenes(self._seed, number)
        place = number if self._scene.place is None else self._scene.place
        small = _paint(self._seed, place, self._scene, *self._size)
        cv2.resize(small, self._size, dst=self._paper, interpolation=cv2.INTER_LINEAR)
        self._number = number

    def _ink(self, canvas: Array, at: int) -> None:
        for shown in self._scene.movers:
            rims = outlines(shown.label, shown.pose(at, *self._size))
            points = [np.rint(rim * (1 << _FRACTION)).astype(np.int32) for rim in rims]
            cv2.fillPoly(canvas, points, shown.ink, cv2.LINE_AA, _FRACTION)

    def _add_noise(self, seq: int, brighter: Array, darker: Array) -> None:
        width, height = self._size
        rng = np.random.default_rng([self._seed, _SHIFT, seq])
        for top in range(0, height, _STRIP):
            strip = self._frame[top : top + _STRIP]
            row, column = rng.integers(_ROAM, size=2)
            window = np.s_[row : row + len(strip), column : column + width]
            cv2.add(strip, brighter[window], dst=strip)
            cv2.subtract(strip, darker[window], dst=strip)


def _paint(seed: int, number: int, shown: Scene, width: int, height: int) -> Array:
    """Paint a scene's background at an eighth of its size: a gradient, with clouds at two scales.

    Returns:
        uint8 (rows, columns, 3).
    """
    rng = np.random.default_rng([seed, _PAPER, number])
    rows, columns = max(2, height // 8), max(2, width // 8)
    y, x = np.mgrid[-0.5 : 0.5 : rows * 1j, -0.5 : 0.5 : columns * 1j]
    along = 0.5 + (x * math.cos(shown.slope) + y * math.sin(shown.slope)) / math.sqrt(2)
    near, far = (np.array(colour) for colour in shown.paper)
    image = near + (far - near) * along[..., None]
    for cells, contrast in ((4, 14.0), (12, 9.0)):
        clouds = rng.uniform(-contrast, contrast, (cells, cells))
        image += cv2.resize(clouds, (columns, rows), interpolation=cv2.INTER_CUBIC)[..., None]
    painted: Array = np.clip(image, 0, 255).astype(np.uint8)
    return painted


def _noise_tiles(seed: int, rows: int, columns: int, noise: float) -> tuple[Array, Array]:
    """Gaussian noise as two uint8 tiles, what it adds and what it takes: saturating, and cheap to apply."""
    rng = np.random.default_rng([seed, _TILES])
    shape = (rows + _ROAM, columns + _ROAM, 3)
    values = np.rint(rng.standard_normal(shape, np.float32) * noise)
    return np.clip(values, 0, 255).astype(np.uint8), np.clip(-values, 0, 255).astype(np.uint8)
