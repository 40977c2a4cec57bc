"""Scenes of one to six shapes that pass in front of each other, and what can be seen of each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

from agent.sources.synthesis.glyphs import SHAPE_LABELS
from agent.sources.synthesis.scene import SCENE_FRAMES, Mover, Scene, box_of, colour, outlines

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.types import Array

MOST = 6
"""Shapes in one scene."""

_STREAM = 4
"""Which random stream of the seed: the camera and the glyphs use those below."""
_CANDIDATES = 12
"""Colours that each shape chooses from: the one that differs most from what is there already."""
_FRACTION = 4
"""Bits of a pixel that outlines are rounded to."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What one frame shows of one shape.

    Attributes:
        label: which shape.
        box: top, left, bottom, right of the whole shape, hidden parts too, as shares of the frame's height
            and width; it ends at the frame's edge.
        visible: the share of its area that is neither covered by a shape in front nor outside the frame.
    """

    label: str
    box: tuple[float, float, float, float]
    visible: float


def scene(seed: int, number: int) -> Scene:
    """Draw the recipe of scene ``number``: each shape differs in colour from the paper and the others."""
    rng = np.random.default_rng([seed, _STREAM, number])
    paper = rng.integers(5, 96, (2, 3)) if rng.random() < 0.5 else rng.integers(150, 251, (2, 3))
    taken = list(paper)
    movers = []
    for _ in range(rng.integers(1, MOST + 1)):
        taken.append(unlike(rng, taken))
        movers.append(_mover(rng, taken[-1]))
    return Scene(
        movers=tuple(movers),
        paper=(colour(paper[0]), colour(paper[1])),
        slope=rng.uniform(0, math.tau),
        focus_loss=(rng.random(), rng.uniform(0.006, 0.018)),
    )


def _mover(rng: np.random.Generator, ink: Array) -> Mover:
    heading = rng.uniform(0, math.tau)
    pace = rng.uniform(0.004, 0.014)
    return Mover(
        label=SHAPE_LABELS[rng.integers(len(SHAPE_LABELS))],
        start=(rng.uniform(0, 2), rng.uniform(0, 2)),
        speed=(pace * math.cos(heading), pace * math.sin(heading)),
        radius=rng.uniform(0.1, 0.22),
        swell=rng.uniform(0.0, 0.15),
        angle=rng.uniform(0, math.tau),
        spin=rng.uniform(-0.04, 0.04),
        ink=colour(ink),
    )


def unlike(rng: np.random.Generator, taken: list[Array]) -> Array:
    """Draw a colour: the one whose nearest neighbour among ``taken`` is farthest, by the largest channel."""
    candidates = rng.integers(0, 256, (_CANDIDATES, 3))
    apart = np.abs(candidates[:, None] - np.stack(taken)).max(axis=2).min(axis=1)
    chosen: Array = candidates[int(apart.argmax())]
    return chosen


def sights(
    seed: int, seq: int, width: int, height: int, *, scenes: Callable[[int, int], Scene] = scene
) -> list[Sight]:
    """Tell what frame ``seq`` of the shape scenes, or of others, shows: from the back to the front."""
    number, at = divmod(seq, SCENE_FRAMES)
    movers = scenes(seed, number).movers
    rims = [outlines(one.label, one.pose(at, width, height))[0] for one in movers]
    # Shapes reach over the frame's edge: the owner map has a border that takes what does.
    border = 2 + max((0, *(math.ceil(max(-rim.min(), (rim - (width, height)).max())) for rim in rims)))
    owner = np.zeros((height + 2 * border, width + 2 * border), np.uint8)
    areas = [_claim(owner, rim + border, number) for number, rim in enumerate(rims, start=1)]
    inside = owner[border:-border, border:-border]
    seen = np.bincount(inside.ravel(), minlength=len(rims) + 1)[1:].tolist()
    found = []
    for mover, rim, area, left_over in zip(movers, rims, areas, seen, strict=True):
        left, top, right, bottom = box_of(rim, width, height)
        found.append(Sight(mover.label, (top, left, bottom, right), left_over / area))
    return found


def _claim(owner: Array, rim: Array, number: int) -> int:
    """Write ``number`` where the outline lies; give its area in pixels."""
    left, top = np.floor(rim.min(axis=0)).astype(int) - 1
    right, bottom = np.ceil(rim.max(axis=0)).astype(int) + 2
    drawn = np.zeros((bottom - top, right - left), np.uint8)
    points = np.rint((rim - (left, top)) * (1 << _FRACTION)).astype(np.int32)
    cv2.fillPoly(drawn, [points], 1, cv2.LINE_8, _FRACTION)
    owner[top:bottom, left:right][drawn > 0] = number
    return int(np.count_nonzero(drawn))
