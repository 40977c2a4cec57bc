"""The options that sources of sound have, and how they are made into windows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Self

from pydantic import Field, model_validator

from agent.sources.sampling.cutting import Cutting

if TYPE_CHECKING:
    from agent.sources.sampling.pcm import Pcm
    from agent.sources.sampling.sensor import Sensor
    from agent.sources.sampling.windows import Windows

_STRETCH = 8
"""How many times more samples than the device gives may be made of them."""


class Sound(Cutting):
    """What the samples are, and how they are cut."""

    format: Literal["s16le", "s24le", "s32le", "f32le"] = "s16le"
    """A number of a sample: 16, 24 or 32 bits with a sign, or 32 of floating point, the least byte first."""
    channels: int = Field(default=1, ge=1, le=32)
    """Numbers in a sample."""
    capture_rate: int = Field(default=16_000, ge=2_000, le=768_000)
    """Samples a second, as they come."""
    rate: float | None = Field(default=None, gt=0, le=1_000_000)
    """Samples a second in the windows, interpolated; without it, those that come."""

    @model_validator(mode="after")
    def _stretch_is_bounded(self) -> Self:
        if self.made > _STRETCH * self.capture_rate:
            raise ValueError(f"rate is more than {_STRETCH} times capture_rate")
        return self

    @property
    def made(self) -> float:
        """Samples a second in the windows."""
        return self.rate or float(self.capture_rate)


def windows(options: Sound) -> Windows:
    """Make what cuts the samples; they are counted, so only what is told is a gap.

    Raises:
        InputRejected: ``mean`` or ``std`` do not fit.
    """
    from agent.sources.sampling.windows import Windows

    steady = options.model_copy(update={"max_gap_s": 2.5 / min(options.made, options.capture_rate)})
    return Windows(steady, options.made, options.channels)


def sensor(feed: Pcm, cut: Windows, start: int, *, silence_s: float) -> Sensor:
    """Join both; the first window is number ``start``."""
    from agent.sources.sampling.sensor import Sensor

    hint = "The machine was too busy to listen, or what it listens to has paused: give it more time"
    return Sensor(feed, cut, start, silence_s=silence_s, hint=hint, date=feed.clock.monotonic)
