"""Pictures for the shape detector, drawn by the synthetic camera that it will watch.

A picture is what the agent's preprocessing makes of a frame: stretched to the input size, then RGB.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import cv2
import numpy as np

from agent.sources.synthesis.drawing import Camera
from agent.sources.synthesis.glyphs import SHAPE_LABELS
from agent.sources.synthesis.scene import SCENE_FRAMES
from agent.sources.synthesis.shapes import MOST, Sight, scene, sights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.types import Array

HEIGHT, WIDTH = 96, 128
"""Of the model's input."""
HELD_OUT = 1_000_000
"""Seeds from here on are never trained on; nor is 0, the camera's default."""
VISIBLE = 0.4
"""Shapes of which a smaller share is visible are difficult: neither demanded nor punished."""

_SIZES = ((640, 480), (320, 240), (1280, 720), (640, 480), (320, 180), (800, 600))
_DISTURBANCES = ((6.0, 0.1), (0.0, 0.0), (6.0, 0.5), (12.0, 0.1), (20.0, 0.3))
_FRAMES_A_SCENE = 2


@dataclass(frozen=True, slots=True)
class Setting:
    """How the camera is set: frame size, noise in grey levels, share of blurred frames."""

    width: int = 640
    height: int = 480
    noise: float = 6.0
    blur: float = 0.1


@dataclass(frozen=True, slots=True)
class Condition:
    """Something to be good at: camera settings, and which of their frames count."""

    setting: Setting = Setting()
    keep: Callable[[list[Sight]], bool] = lambda _: True


def _is_occluded(shown: list[Sight]) -> bool:
    return any(VISIBLE <= one.visible <= 0.75 for one in shown)


USUAL = "as the camera comes"

CONDITIONS: dict[str, Condition] = {
    USUAL: Condition(),
    "clean": Condition(Setting(noise=0, blur=0)),
    "noise 20": Condition(Setting(noise=20, blur=0)),
    "all blurred": Condition(Setting(blur=1)),
    "occluded": Condition(keep=_is_occluded),
    "320 x 240": Condition(Setting(320, 240)),
    "1280 x 720": Condition(Setting(1280, 720)),
}
"""What the model is measured on."""


def picture(frame: Array) -> Array:
    """Make the input picture of a frame: BGR of any size to RGB, uint8 (HEIGHT, WIDTH, 3)."""
    small = cv2.resize(frame, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)
    return cv2.cvtColor(small, cv2.COLOR_BGR2RGB)


def frames(seed: int, condition: Condition, frames_a_scene: int) -> Iterator[tuple[Array, list[Sight]]]:
    """Draw random frames of one scene after the other, with what they show; all share one buffer."""
    setting = condition.setting
    size = (setting.width, setting.height)
    camera = Camera(*size, seed, setting.noise, setting.blur, scenes=scene)
    rng = np.random.default_rng([seed, *size])
    first = 0
    while True:
        for at in rng.choice(SCENE_FRAMES, frames_a_scene, replace=False):
            shown = sights(seed, first + int(at), *size)
            if condition.keep(shown):
                yield camera.draw(first + int(at)), shown
        first += SCENE_FRAMES


def held_out(name: str, seed: int) -> Iterator[tuple[Array, list[Sight]]]:
    """Draw frames of a condition without end, one a scene; all share one buffer.

    ``seed`` is ``HELD_OUT`` or above. Settings of the same seed look at the same scenes.
    """
    return frames(seed, CONDITIONS[name], 1)


def training_set(count: int, seed: int) -> tuple[Array, Array]:
    """Draw ``count`` pictures over all sizes and disturbances, every other one with a shape half hidden.

    Returns:
        Images, uint8 (count, HEIGHT, WIDTH, 3), and what they show, float32 (count, MOST, 6): class, top,
        left, bottom, right, visible share; the class is -1 where there are fewer shapes.
    """
    settings = [Setting(*size, *disturbance) for size, disturbance in product(_SIZES, _DISTURBANCES)]
    images = np.empty((count, HEIGHT, WIDTH, 3), np.uint8)
    shown = np.full((count, MOST, 6), -1, np.float32)
    for number, setting in enumerate(settings):
        start, stop = (count * at // len(settings) for at in (number, number + 1))
        kinds = (Condition(setting), Condition(setting, _is_occluded))
        drawn = [frames(seed + 2 * number + at, kind, _FRAMES_A_SCENE) for at, kind in enumerate(kinds)]
        for at in range(start, stop):
            frame, seen = next(drawn[at % 2])
            images[at] = picture(frame)
            for place, one in enumerate(seen):
                shown[at, place] = (SHAPE_LABELS.index(one.label), *one.box, one.visible)
    return images, shown
