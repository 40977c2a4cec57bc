"""A vibration sensor that needs no hardware: windows of a machine that now and then begins to shake."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from agent.errors import SourceEnded
from agent.sources._pace import Pace
from agent.types import Frame

if TYPE_CHECKING:
    from agent.sources.synthesis.vibration import Vibration
    from agent.types import Array


class Options(BaseModel):
    """What the synthetic sensor can be told."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    rate: float = Field(default=1600.0, ge=1280, le=102400)
    """Samples a second; the fastest tone of the machine lies near 575 Hz."""
    window: int = Field(default=256, ge=16, le=65536)
    """Samples in a window, which is a frame."""
    hop: int = Field(default=256, ge=1, le=65536)
    """Samples from the beginning of a window to that of the next; fewer than `window` make them overlap."""
    speed: float = Field(default=1.0, ge=0, le=1000)
    """How many times faster than real time; 0 makes windows as fast as they are read, and loses none."""
    seed: int = Field(default=0, ge=0, lt=1 << 63)
    """The same seed is the same machine with the same faults."""
    noise: float = Field(default=0.02, ge=0, le=1)
    """Standard deviation of the noise, g."""
    faults: float = Field(default=0.25, ge=0, le=1)
    """Share of the time in which something is wrong with the machine."""
    frames: int | None = Field(default=None, ge=1)
    """Ends after so many windows, counted from the very first; without it, never."""


class SyntheticSensor:
    """Implements ``Source``. All its windows share one buffer."""

    def __init__(self, options: Options, machine: Vibration, window: Array, start: int) -> None:
        self._machine = machine
        self._window = window
        self._next = start
        self._end = options.frames
        self._hop = options.hop
        self._live = options.speed > 0
        self._pace = Pace(options.hop / options.rate / options.speed if self._live else 0.0)

    @property
    def live(self) -> bool:
        """True when it has a pace of its own."""
        return self._live

    def read(self, timeout_s: float) -> Frame | None:
        """Give the next window when it is due: float32 (samples, 3), g.

        Raises:
            SourceEnded: ``frames`` windows have been given.
        """
        if self._end is not None and self._next >= self._end:
            raise SourceEnded(f"synthetic sensor: {self._end} windows given")
        if not self._pace.wait(timeout_s):
            return None
        captured_ns = time.monotonic_ns()
        self._machine.window(self._next * self._hop, self._window)
        frame = Frame(self._next, captured_ns, self._window)
        self._next += 1
        return frame

    def close(self) -> None:
        """Release nothing: memory goes with the object."""


def build(options: Options, *, start: int) -> SyntheticSensor:
    """Make the sensor; its first window has sequence number ``start``."""
    import numpy as np

    from agent.sources.synthesis.vibration import AXES, Vibration

    machine = Vibration(options.rate, options.seed, options.noise, options.faults)
    return SyntheticSensor(options, machine, np.empty((options.window, AXES), np.float32), start)
