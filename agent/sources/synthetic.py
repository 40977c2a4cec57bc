"""A camera that needs no hardware: moving glyphs or shapes, drawn from a seed."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.errors import SourceEnded
from agent.sources._pace import Pace
from agent.types import Frame

if TYPE_CHECKING:
    from agent.sources.synthesis.drawing import Camera


class Options(BaseModel):
    """What the synthetic camera can be told."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    scene: Literal["glyph", "shapes", "still"] = "glyph"
    """What is in view: one glyph at a time, one to six shapes that pass in front of each other, or a still
    place, which a shape or two cross in one of 12 scenes."""
    width: int = Field(default=640, ge=16, le=4096)
    """Width of a frame, pixels."""
    height: int = Field(default=480, ge=16, le=4096)
    """Height of a frame, pixels."""
    fps: float = Field(default=30.0, ge=0, le=1000)
    """Frames a second; 0 draws as fast as they are read, and loses none."""
    seed: int = Field(default=0, ge=0, lt=1 << 63)
    """The same seed draws the same frames."""
    noise: float = Field(default=6.0, ge=0, le=64)
    """Standard deviation of the sensor noise, grey levels."""
    blur: float = Field(default=0.1, ge=0, le=1)
    """Share of each scene's frames that are out of focus."""
    frames: int | None = Field(default=None, ge=1)
    """Ends after so many frames, counted from the very first; without it, never."""


class SyntheticSource:
    """Implements ``Source``. All its frames share one buffer."""

    def __init__(self, options: Options, camera: Camera, start: int) -> None:
        self._camera = camera
        self._next = start
        self._end = options.frames
        self._live = options.fps > 0
        self._pace = Pace(1 / options.fps if self._live else 0.0)

    @property
    def live(self) -> bool:
        """True when it has a rate of its own."""
        return self._live

    def read(self, timeout_s: float) -> Frame | None:
        """Draw the next frame when it is due: uint8 (height, width, 3), BGR.

        Raises:
            SourceEnded: ``frames`` frames have been drawn.
        """
        if self._end is not None and self._next >= self._end:
            raise SourceEnded(f"synthetic camera: {self._end} frames drawn")
        if not self._pace.wait(timeout_s):
            return None
        frame = Frame(self._next, time.monotonic_ns(), self._camera.draw(self._next))
        self._next += 1
        return frame

    def close(self) -> None:
        """Release nothing: memory goes with the object."""


def build(options: Options, *, start: int) -> SyntheticSource:
    """Make the camera; its first frame has sequence number ``start``."""
    from agent.sources.synthesis import scene, shapes, still
    from agent.sources.synthesis.drawing import Camera

    scenes = {"glyph": scene.scene, "shapes": shapes.scene, "still": still.scene}[options.scene]
    size = (options.width, options.height)
    camera = Camera(*size, options.seed, options.noise, options.blur, scenes=scenes)
    return SyntheticSource(options, camera, start)
