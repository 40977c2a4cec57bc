"""A place where mostly nothing moves: one background, and now and then a shape or two that cross it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from agent.sources.synthesis import shapes
from agent.sources.synthesis.glyphs import SHAPE_LABELS
from agent.sources.synthesis.scene import SCENE_FRAMES, Colour, Pose, Scene, colour

if TYPE_CHECKING:
    from agent.types import Array

_STREAM = 5
"""Which random stream of the seed: the camera, the glyphs and the shapes use those below."""
_RARE = 1 / 12
"""Share of the scenes in which something passes."""
_MOST = 2


@dataclass(frozen=True, slots=True)
class Passer:
    """A shape that comes in over one side of the frame and leaves over the opposite one as the scene ends.

    Attributes:
        label: which shape.
        side: it comes from the left (0), the top (1), the right (2) or the bottom (3).
        lane: where it comes in and where it leaves, as shares of that side.
        radius: mean radius, as a share of the frame's shorter side.
        angle: at the first frame, radians; ``spin`` is what it gains a frame.
        ink: its colour, BGR.
    """

    label: str
    side: int
    lane: tuple[float, float]
    radius: float
    angle: float
    spin: float
    ink: Colour

    def pose(self, at: int, width: int, height: int) -> Pose:
        """Give the pose in the scene's frame ``at``: out of view in the first."""
        radius = self.radius * min(width, height)
        reach = 1.2 * radius
        way = at / SCENE_FRAMES
        lane = self.lane[0] + (self.lane[1] - self.lane[0]) * way
        along = way if self.side < 2 else 1 - way
        angle = self.angle + self.spin * at
        if self.side % 2:
            return Pose(lane * width, along * (height + 2 * reach) - reach, radius, angle)
        return Pose(along * (width + 2 * reach) - reach, lane * height, radius, angle)


def scene(seed: int, number: int) -> Scene:
    """Draw the recipe of scene ``number``; the first one is empty, and the background is always its own."""
    place = shapes.scene(seed, 0)
    rng = np.random.default_rng([seed, _STREAM, number])
    taken: list[Array] = [np.array(one) for one in place.paper]
    passers = []
    for _ in range(rng.integers(1, _MOST + 1) if number and rng.random() < _RARE else 0):
        taken.append(shapes.unlike(rng, taken))
        passers.append(_passer(rng, taken[-1]))
    return Scene(tuple(passers), place.paper, place.slope, focus_loss=(0.0, 0.0), place=0)


def _passer(rng: np.random.Generator, ink: Array) -> Passer:
    return Passer(
        label=SHAPE_LABELS[rng.integers(len(SHAPE_LABELS))],
        side=int(rng.integers(4)),
        lane=(rng.uniform(0.2, 0.8), rng.uniform(0.2, 0.8)),
        radius=rng.uniform(0.1, 0.22),
        angle=rng.uniform(0, math.tau),
        spin=rng.uniform(-0.04, 0.04),
        ink=colour(ink),
    )
