"""Pictures for the glyph classifier, drawn by the synthetic camera that it will watch.

A picture is what the agent's preprocessing makes of a frame: stretched to the input size, then RGB.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import cv2
import numpy as np

from agent.sources.synthesis.drawing import Camera
from agent.sources.synthesis.glyphs import LABELS
from agent.sources.synthesis.scene import SCENE_FRAMES, Truth, truth

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from agent.types import Array

SIDE = 64
"""Height and width of the model's input."""
HELD_OUT = 1_000_000
"""Seeds from here on are never trained on; nor is 0, the camera's default."""

_SIZES = ((640, 480), (160, 120), (320, 240), (1280, 720), (320, 180), (480, 640), (240, 240))
_DISTURBANCES = ((0.0, 0.0), (3.0, 0.1), (6.0, 0.5), (12.0, 0.1), (20.0, 0.5))
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
    keep: Callable[[Truth], bool] = lambda _: True


def _is_cut(shown: Truth) -> bool:
    return min(shown.left, shown.top) <= 0 or max(shown.right, shown.bottom) >= 1


USUAL = "as the camera comes"

CONDITIONS: dict[str, Condition] = {
    USUAL: Condition(),
    "clean": Condition(Setting(noise=0, blur=0)),
    "noise 20": Condition(Setting(noise=20, blur=0)),
    "all blurred": Condition(Setting(blur=1)),
    "cut by the border": Condition(keep=_is_cut),
    "wholly in view": Condition(keep=lambda shown: not _is_cut(shown)),
    "160 x 120": Condition(Setting(160, 120)),
    "320 x 240": Condition(Setting(320, 240)),
    "1280 x 720": Condition(Setting(1280, 720)),
    "480 x 640": Condition(Setting(480, 640)),
}
"""What the model is measured on."""


def picture(frame: Array) -> Array:
    """Make the input picture of a frame: BGR of any size to RGB, uint8 (SIDE, SIDE, 3)."""
    small = cv2.resize(frame, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)
    return cv2.cvtColor(small, cv2.COLOR_BGR2RGB)


def samples(seed: int, setting: Setting, frames_a_scene: int = 1) -> Iterator[tuple[Array, Truth]]:
    """Give pictures and what they show, for ever: scene after scene, frames of each at random."""
    camera = Camera(setting.width, setting.height, seed, setting.noise, setting.blur)
    rng = np.random.default_rng([seed, setting.width, setting.height])
    first = 0
    while True:
        for at in rng.choice(SCENE_FRAMES, frames_a_scene, replace=False):
            seq = first + int(at)
            yield picture(camera.draw(seq)), truth(seed, seq, setting.width, setting.height)
        first += SCENE_FRAMES


def held_out(name: str, count: int, seed: int) -> tuple[Array, Array]:
    """Draw ``count`` pictures of a condition, one a scene: images and label indices.

    ``seed`` is ``HELD_OUT`` or above. Settings of the same seed look at the same scenes.
    """
    condition = CONDITIONS[name]
    kept = (one for one in samples(seed, condition.setting) if condition.keep(one[1]))
    return _collect(kept, count)


def training_set(count: int, seed: int) -> tuple[Array, Array]:
    """Draw ``count`` pictures over all sizes and disturbances: images and label indices."""
    settings = [Setting(*size, *disturbance) for size, disturbance in product(_SIZES, _DISTURBANCES)]
    parts = []
    for number, setting in enumerate(settings):
        share = count * (number + 1) // len(settings) - count * number // len(settings)
        parts.append(_collect(samples(seed + number, setting, _FRAMES_A_SCENE), share))
    images, labels = zip(*parts, strict=True)
    return np.concatenate(images), np.concatenate(labels)


def _collect(source: Iterator[tuple[Array, Truth]], count: int) -> tuple[Array, Array]:
    images = np.empty((count, SIDE, SIDE, 3), np.uint8)
    labels = np.empty(count, np.int64)
    for at in range(count):
        images[at], shown = next(source)
        labels[at] = LABELS.index(shown.label)
    return images, labels
