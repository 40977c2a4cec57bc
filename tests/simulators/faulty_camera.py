"""A camera on a wall, and what befalls it: a room that stands still, a glyph that passes, and the faults."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from agent.sources.synthesis.drawing import Camera

if TYPE_CHECKING:
    from agent.pictures import Fault
    from agent.types import Array

WIDTH, HEIGHT = 320, 240


class FaultyCamera:
    """Draws frames of one room; each fault is what ``draw`` makes of a sound frame.

    Args:
        seed: which room, and what passes through it.
        noise: standard deviation of the sensor noise, grey levels.
    """

    def __init__(self, seed: int = 0, noise: float = 6.0) -> None:
        self._rng = np.random.default_rng(seed)
        self._grain = np.rint(self._rng.standard_normal((HEIGHT + 64, WIDTH + 64, 3)) * noise).astype(
            np.int16
        )
        self._passing = Camera(WIDTH, HEIGHT, seed, 0.0, 0.0)
        self._room = self._furnished()
        self._still: Array | None = None

    def draw(self, at: int, fault: Fault | None = None, strength: float = 1.0) -> Array:
        """Give frame ``at``: uint8 (240, 320, 3); ``strength`` in [0, 1] is how far the fault has come."""
        shift = round(40 * strength) if fault == "moved" else 0
        picture = self._room[60 : 60 + HEIGHT, 60 + shift : 60 + shift + WIDTH].copy()
        self._pass_by(picture, at)
        if fault == "frozen":
            self._still = self._noisy(picture) if self._still is None else self._still
            return self._still.copy()
        self._still = None
        match fault:
            case "black":
                picture = (picture * (1 - strength)).astype(np.uint8)
            case "overexposed":
                picture = cv2.addWeighted(picture, 1 - strength, np.full_like(picture, 255), strength, 0.0)
            case "blurred":
                picture = _blurred(picture, 0.1 + 12 * strength)
            case "blocked":
                picture[:, : round(WIDTH * strength)] = (70, 90, 140)  # a hand, out of focus
        return self._noisy(picture)

    def _furnished(self) -> Array:
        room = np.full((HEIGHT + 120, WIDTH + 120, 3), 120, np.uint8)
        for _ in range(40):
            left, top = self._rng.integers(0, (WIDTH + 60, HEIGHT + 60))
            wide, high = self._rng.integers(15, 90, 2)
            colour = tuple(self._rng.integers(20, 230, 3).tolist())
            cv2.rectangle(room, (int(left), int(top)), (int(left + wide), int(top + high)), colour, -1)
        return room

    def _pass_by(self, picture: Array, at: int) -> None:
        glyph = cv2.resize(self._passing.draw(at), (80, 60))
        column = 20 + at * 3 % (WIDTH - 120)
        picture[90:150, column : column + 80] = glyph

    def _noisy(self, picture: Array) -> Array:
        row, column = self._rng.integers(64, size=2)
        noise = self._grain[row : row + HEIGHT, column : column + WIDTH]
        noisy: Array = np.clip(picture + noise, 0, 255).astype(np.uint8)
        return noisy


def _blurred(picture: Array, sigma: float) -> Array:
    if sigma < 4:
        return cv2.GaussianBlur(picture, (0, 0), sigma)
    half = cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)  # a fourth of the work
    return cv2.resize(cv2.GaussianBlur(half, (0, 0), sigma / 2), (WIDTH, HEIGHT))
