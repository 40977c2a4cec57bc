"""Lets windows of samples pass that are loud enough: of sound, of vibration, of what is mostly at rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from agent.errors import InputRejected
from agent.gates._holding import Holding
from agent.screening import Admission

if TYPE_CHECKING:
    from agent.types import Array, Frame


class Options(BaseModel):
    """How loud a window must be."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    threshold: float = Field(gt=0, allow_inf_nan=False)
    """The level from which on a window passes, in the unit of its samples; the loudest channel counts."""
    measure: Literal["rms", "peak"] = "rms"
    """What the level is: the root of the mean square, or the largest amount."""
    center: bool = True
    """Take off each channel's mean first: gravity, or the offset of a microphone."""
    hold_s: float = Field(default=1.0, ge=0, le=3600, allow_inf_nan=False)
    """Windows pass for so many seconds after the last loud one."""
    every_s: float = Field(default=0.0, ge=0, le=86400, allow_inf_nan=False)
    """One passes at least every so many seconds; 0 for only those that are loud."""


class LevelGate:
    """Implements ``FrameGate``."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._holding = Holding(options.hold_s, options.every_s)

    def admit(self, frame: Frame) -> Admission | None:
        """Let a window pass that is loud, comes soon after one that was, or is due.

        Raises:
            InputRejected: it is no window of finite floats, (samples) or (samples, channels).
        """
        loud = self._level(_window(frame)) >= self._options.threshold
        return Admission() if self._holding.passes(frame.captured_ns, noticed=loud) else None

    def _level(self, window: Array) -> float:
        """Give the loudest channel's level, of float64 (samples, channels)."""
        if self._options.center:
            window = window - window.mean(axis=0)
        if self._options.measure == "peak":
            return float(np.abs(window).max())
        return float(np.sqrt(np.square(window).mean(axis=0).max()))


def _window(frame: Frame) -> Array:
    """Give a window as float64 (samples, channels), in the range of float32: its square is finite, too."""
    data, problem = frame.data, ""
    if data.dtype.kind != "f" or data.ndim not in (1, 2) or not data.size:
        problem = f"{data.dtype} {list(data.shape)} is no window of samples"
    elif not (np.abs(data) <= np.finfo(np.float32).max).all():
        problem = "the window holds what is not finite"
    if problem:
        hint = "Remove the gate 'level' from the pipeline, or look at its source"
        raise InputRejected("judge", frame.origin or "frame", problem, hint)
    return data.astype(np.float64).reshape(len(data), -1)


def build(options: Options) -> LevelGate:
    """Make the gate."""
    return LevelGate(options)
