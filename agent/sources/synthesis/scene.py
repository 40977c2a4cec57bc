"""What the synthetic camera looks at: scenes of moving shapes, here those of one glyph, and where it is.

Everything follows from (seed, sequence number, frame size) alone, so a restarted worker goes on where the
last one stopped. The truth told here is for training, tests and benches; no frame carries it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from agent.sources.synthesis.glyphs import LABELS, OUTLINES

if TYPE_CHECKING:
    from agent.types import Array

Colour = tuple[int, int, int]
"""Blue, green, red."""

SCENE_FRAMES = 60
"""Frames that a scene lasts."""

_STREAM = 0


@dataclass(frozen=True, slots=True)
class Truth:
    """What one frame shows: the label, and the glyph's box in [0, 1] of the frame's width and height."""

    label: str
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, slots=True)
class Pose:
    """Where a shape is in one frame: centre and radius in pixels, angle in radians."""

    x: float
    y: float
    radius: float
    angle: float


class Moves(Protocol):
    """What moves in a scene."""

    @property
    def label(self) -> str:
        """Which shape."""

    @property
    def ink(self) -> Colour:
        """Its colour."""

    def pose(self, at: int, width: int, height: int) -> Pose:
        """Give the pose in the scene's frame ``at``, of such a size in pixels."""


@dataclass(frozen=True, slots=True)
class Mover:
    """A shape and its way: lengths are shares of the frame's shorter side, times are in frames.

    Attributes:
        label: which shape.
        start: where its path begins, each axis in [0, 2): above 1 it is on its way back.
        speed: what ``start`` gains a frame.
        radius: mean radius; it swells and shrinks by ``swell`` of itself.
        angle: at the first frame, radians; ``spin`` is what it gains a frame.
        ink: its colour, BGR.
    """

    label: str
    start: tuple[float, float]
    speed: tuple[float, float]
    radius: float
    swell: float
    angle: float
    spin: float
    ink: Colour

    def pose(self, at: int, width: int, height: int) -> Pose:
        """Give the pose in the scene's frame ``at``; up to half the radius can be out of view."""
        short = min(width, height)
        radius = self.radius * short * (1 + self.swell * math.sin(at * math.tau / SCENE_FRAMES))
        margin = 0.5 * radius
        x = margin + (width - 2 * margin) * _bounce(self.start[0] + self.speed[0] * at * short / width)
        y = margin + (height - 2 * margin) * _bounce(self.start[1] + self.speed[1] * at * short / height)
        return Pose(x, y, radius, self.angle + self.spin * at)


@dataclass(frozen=True, slots=True)
class Scene:
    """The recipe of one scene.

    Attributes:
        movers: what moves in it, later ones in front.
        paper: two BGR colours that the background runs between, and ``slope`` its direction, radians.
        focus_loss: where in the scene the blurred frames begin, in [0, 1), and how wide the blur is.
        place: the scene whose clouds are in its background; None for its own.
    """

    movers: tuple[Moves, ...]
    paper: tuple[Colour, Colour]
    slope: float
    focus_loss: tuple[float, float]
    place: int | None = None


def _bounce(way: float) -> float:
    """Fold a way that goes on for ever into [0, 1], there and back."""
    return 1 - abs(way % 2 - 1)


def scene(seed: int, number: int) -> Scene:
    """Draw the recipe of scene ``number``: glyph and paper always differ clearly in brightness."""
    rng = np.random.default_rng([seed, _STREAM, number])
    dark, bright = rng.integers(5, 96, (3, 3)), rng.integers(150, 251, (3, 3))
    paper, ink = (dark, bright) if rng.random() < 0.5 else (bright, dark)
    heading = rng.uniform(0, math.tau)
    pace = rng.uniform(0.004, 0.014)
    glyph = Mover(
        label=LABELS[rng.integers(len(LABELS))],
        start=(rng.uniform(0, 2), rng.uniform(0, 2)),
        speed=(pace * math.cos(heading), pace * math.sin(heading)),
        radius=rng.uniform(0.2, 0.36),
        swell=rng.uniform(0.0, 0.15),
        angle=rng.uniform(0, math.tau),
        spin=rng.uniform(-0.02, 0.02),
        ink=colour(ink[0]),
    )
    return Scene(
        movers=(glyph,),
        paper=(colour(paper[1]), colour(paper[2])),
        slope=rng.uniform(0, math.tau),
        focus_loss=(rng.random(), rng.uniform(0.006, 0.025)),
    )


def colour(values: Array) -> Colour:
    """Give three numbers, blue, green and red, as OpenCV wants a colour."""
    blue, green, red = values.tolist()
    return blue, green, red


def outlines(label: str, pose: Pose) -> list[Array]:
    """Give the outlines of a shape in pixels: float64 (points, 2) each, x then y."""
    cos, sin = pose.radius * math.cos(pose.angle), pose.radius * math.sin(pose.angle)
    turn = np.array([[cos, sin], [-sin, cos]])
    return [outline @ turn + (pose.x, pose.y) for outline in OUTLINES[label]]


def truth(seed: int, seq: int, width: int, height: int) -> Truth:
    """Tell what frame ``seq`` of the glyph scenes shows; the box ends at the frame's edge."""
    number, at = divmod(seq, SCENE_FRAMES)
    (glyph,) = scene(seed, number).movers
    rim = outlines(glyph.label, glyph.pose(at, width, height))[0]
    return Truth(glyph.label, *box_of(rim, width, height))


def box_of(rim: Array, width: int, height: int) -> tuple[float, float, float, float]:
    """Give left, top, right, bottom of an outline in pixels as shares of the frame, ending at its edge."""
    left, top = np.clip(rim.min(axis=0) / (width, height), 0, 1).tolist()
    right, bottom = np.clip(rim.max(axis=0) / (width, height), 0, 1).tolist()
    return left, top, right, bottom
