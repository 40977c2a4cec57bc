"""Lets pictures pass in which something moves, with the part of the frame that it moves in."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from agent.gates._background import Background
from agent.gates._framing import Framing
from agent.gates._holding import Holding
from agent.imaging.rasters import hidden, picture
from agent.pictures import Area, Share
from agent.screening import Admission
from agent.types import WHOLE

if TYPE_CHECKING:
    from agent.types import Array, Box, Frame

_SIDE = 160
"""The longer side of the small picture that is looked at."""
_FIRST = 5
"""So many pictures pass before anything is known of the background and its noise."""
_TOUCH = np.ones((3, 3), np.uint8)
_NS = 1e9


class Options(BaseModel):
    """What counts as motion, and what passes besides."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    threshold: float = Field(default=8.0, ge=1, le=255, allow_inf_nan=False)
    """Grey levels by which a point must differ from the background, in any colour, and not less than five
    standard deviations of the noise, which is measured."""
    min_area: float = Field(default=0.0005, gt=0, le=1, allow_inf_nan=False)
    """Share of the picture, without what is masked, that one thing must cover to count."""
    hold_s: float = Field(default=1.0, ge=0, le=3600, allow_inf_nan=False)
    """Frames pass for so many seconds after the last motion."""
    every_s: float = Field(default=60.0, ge=0, le=86400, allow_inf_nan=False)
    """One passes at least every so many seconds, so that what stands still is seen, too; 0 for never."""
    learn_s: float = Field(default=30.0, ge=0.1, le=86400, allow_inf_nan=False)
    """How long a thing stands still until it is background, about: the average's time constant, seconds."""
    mask: tuple[Area, ...] = Field(default=(), max_length=32)
    """Areas in which nothing counts: a road behind the fence, a tree."""
    region: bool = False
    """Show the model what moves, enlarged, in place of the whole frame."""
    margin: float = Field(default=0.25, ge=0, le=2, allow_inf_nan=False)
    """With `region`: what is added on each side, as a share of the longer side of what moves."""
    min_side: Share = 0.3
    """With `region`: its least side, as a share of the frame's shorter one."""


class MotionGate:
    """Implements ``FrameGate``."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._holding = Holding(options.hold_s, options.every_s)
        self._framing = Framing(options.margin, options.min_side)
        self._background: Background | None = None
        self._shape: tuple[int, ...] = ()
        self._judged: Array = np.empty(0, np.uint8)
        self._least = 1
        self._last_ns = 0

    def admit(self, frame: Frame) -> Admission | None:
        """Let a picture pass in which something moves, or soon after that, or when one is due.

        Raises:
            InputRejected: it is no picture.
        """
        data = picture(frame, "judge", "the gate 'motion'")
        if (box := self._moving(data, frame.captured_ns)) == WHOLE:
            self._framing.last = WHOLE
        moving = box is not None
        held = moving or self._holding.holds(frame.captured_ns)
        if not self._holding.passes(frame.captured_ns, noticed=moving):
            return None
        if not (self._options.region and held):
            return Admission()
        if box is None or box == WHOLE:
            return Admission(self._framing.last)
        return Admission(self._framing.around(box, *data.shape[:2]))

    def _moving(self, data: Array, now_ns: int) -> Box | None:
        """Give the box around all that moves; the whole frame while nothing is known, None for no motion."""
        since_s = max(0, now_ns - self._last_ns) / _NS
        self._last_ns = now_ns
        small = _shrunk(data)
        if self._background is None or data.shape != self._shape:
            self._shape = data.shape
            return self._begin(small)
        over = self._background.differs(small, -math.expm1(-since_s / self._options.learn_s))
        if over is None:
            return self._begin(small)
        return WHOLE if self._background.pictures <= _FIRST else _around(over, self._least)

    def _begin(self, small: Array) -> Box:
        """Learn anew: a first picture, or another view."""
        if self._judged.shape != small.shape[:2]:
            self._judged = np.where(hidden(self._options.mask, *small.shape[:2]), 0, 255).astype(np.uint8)
            points = cv2.countNonZero(self._judged)
            self._least = max(1, math.ceil(self._options.min_area * points))
        self._background = Background(small, self._judged, self._options.threshold)
        return WHOLE


def _shrunk(data: Array) -> Array:
    """Make a picture small and a little smooth: uint8 (at most 160, at most 160, 1 or 3).

    To average all pixels of a large one costs too much: it is sampled to twice the size first.
    """
    height, width = data.shape[:2]
    scale = _SIDE / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale))) if scale < 1 else (width, height)
    double = (2 * size[0], 2 * size[1])
    if double[0] < width and double[1] < height:
        data = cv2.resize(data, double, interpolation=cv2.INTER_LINEAR)
    if data.shape[1::-1] != size:
        data = cv2.resize(data, size, interpolation=cv2.INTER_AREA)
    if data.shape[2:] == (4,):
        data = cv2.cvtColor(data, cv2.COLOR_BGRA2BGR)
    smooth = cv2.GaussianBlur(data, (3, 3), 0)
    return np.asarray(smooth).reshape(size[1], size[0], -1)


def _around(over: Array, least: int) -> Box | None:
    """Give the box around things of so many points or more, as shares; None where there is none."""
    if cv2.countNonZero(over) < least:
        return None
    _, labels, stats, _ = cv2.connectedComponentsWithStats(cv2.dilate(over, _TOUCH))
    counts = np.bincount(labels[over > 0], minlength=len(stats))
    things = stats[counts >= least]
    if not len(things):
        return None
    height, width = over.shape
    left, top = things[:, 0].min(), things[:, 1].min()
    right = (things[:, 0] + things[:, 2]).max()
    bottom = (things[:, 1] + things[:, 3]).max()
    return float(top / height), float(left / width), float(bottom / height), float(right / width)


def build(options: Options) -> MotionGate:
    """Make the gate."""
    return MotionGate(options)
