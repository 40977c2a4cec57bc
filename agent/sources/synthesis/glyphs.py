"""The shapes that the synthetic camera shows, as outlines of about unit radius (y points down)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from agent.types import Array

_SMOOTH = 48
"""Points on a full turn: enough that a curve looks round at any frame size that we draw."""


def _outline(*points: tuple[float, float]) -> Array:
    return np.array(points, np.float64)


def _arc(radius: float, start: float, end: float, centre: tuple[float, float] = (0.0, 0.0)) -> Array:
    """Points on a circle from ``start`` to ``end`` degrees, clockwise on the screen."""
    count = max(2, round(abs(end - start) / 360 * _SMOOTH))
    turn = np.radians(np.linspace(start, end, count))
    return np.stack([centre[0] + radius * np.cos(turn), centre[1] + radius * np.sin(turn)], axis=1)


def _cross() -> Array:
    arm, half = 0.95, 0.28
    corner = _outline((half, -half), (half, -arm), (-half, -arm))
    quarter = np.array([[0.0, -1.0], [1.0, 0.0]])
    turned = [corner]
    for _ in range(3):
        turned.append(turned[-1] @ quarter)
    return np.concatenate(turned)


def _crescent() -> Array:
    """A disc of radius 1 with a disc bitten out of its right side; they meet at the two tips."""
    bite, at = 0.82, 0.52
    tip = math.degrees(math.acos((1 + at * at - bite * bite) / (2 * at)))
    inner = math.degrees(math.acos((bite * bite + at * at - 1) / (2 * bite * at)))
    outer = _arc(1.0, tip, 360 - tip)
    return np.concatenate([outer, _arc(bite, 180 + inner, 180 - inner, (at, 0.0))])


def _drop() -> Array:
    """A disc low in the circle, with tangents that meet at the top."""
    radius, low = 0.62, 0.36
    lean = math.degrees(math.asin(radius / (1 + low)))
    return np.concatenate([_outline((0.0, -1.0)), _arc(radius, -lean, 180 + lean, (0.0, low))])


def _heart() -> Array:
    turn = np.linspace(0, 2 * np.pi, _SMOOTH, endpoint=False)
    across = 16 * np.sin(turn) ** 3
    up = 13 * np.cos(turn) - 5 * np.cos(2 * turn) - 2 * np.cos(3 * turn) - np.cos(4 * turn)
    return np.stack([across / 16.5, (-up - 2.0) / 16.5], axis=1)


def _star() -> Array:
    turn = np.radians(np.arange(10) * 36 - 90)
    radius = np.where(np.arange(10) % 2 == 0, 1.0, 0.42)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn)], axis=1)


GLYPHS: dict[str, tuple[Array, ...]] = {
    "arrow": (
        _outline(
            (1.0, 0.0), (0.15, -0.8), (0.15, -0.28), (-0.95, -0.28), (-0.95, 0.28), (0.15, 0.28), (0.15, 0.8)
        ),
    ),
    "bolt": (_outline((0.3, -1.0), (-0.62, 0.16), (-0.08, 0.16), (-0.36, 1.0), (0.62, -0.26), (0.1, -0.26)),),
    "cross": (_cross(),),
    "crescent": (_crescent(),),
    "drop": (_drop(),),
    "heart": (_heart(),),
    "house": (
        _outline(
            *((0.0, -0.98), (0.95, -0.1), (0.68, -0.1), (0.68, 0.8)),
            *((0.2, 0.8), (0.2, 0.2), (-0.2, 0.2), (-0.2, 0.8)),
            *((-0.68, 0.8), (-0.68, -0.1), (-0.95, -0.1)),
        ),
    ),
    "ring": (_arc(0.95, 0, 360), _arc(0.55, 0, 360)),
    "star": (_star(),),
    "triangle": (_outline((0.0, -1.0), (0.88, 0.55), (-0.88, 0.55)),),
}
"""Outlines by label: the first is the rim, a second one is cut out of it. float64 (points, 2), x then y."""

LABELS: tuple[str, ...] = tuple(sorted(GLYPHS))
"""The labels in the order of the bundled classifier's outputs."""

SHAPES: dict[str, tuple[Array, ...]] = {
    "circle": (_arc(0.95, 0, 360),),
    "cross": GLYPHS["cross"],
    "square": (_outline((0.72, 0.72), (-0.72, 0.72), (-0.72, -0.72), (0.72, -0.72)),),
    "star": GLYPHS["star"],
    "triangle": GLYPHS["triangle"],
}
"""As ``GLYPHS``: what the scenes of several shapes are made of."""

SHAPE_LABELS: tuple[str, ...] = tuple(sorted(SHAPES))
"""The labels in the order of the bundled detector's classes."""

OUTLINES: dict[str, tuple[Array, ...]] = {**GLYPHS, **SHAPES}
