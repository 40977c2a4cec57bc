"""The options that every source of windows has; see ``sampling/windows.py`` for what they do."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]

MOST_BRIDGED = 16384
"""A gap that is bridged makes at most so many samples."""
_BRIDGED = 2.5
"""Intervals between two samples that are bridged without ``max_gap_s``: one sample may be missing."""


class Cutting(BaseModel):
    """How a stream of samples becomes windows."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    window: int = Field(ge=1, le=65536)
    """Samples in a window, which is a frame."""
    hop: int | None = Field(default=None, ge=1, le=1 << 20)
    """Samples from the beginning of a window to that of the next; without it, `window`."""
    max_gap_s: float | None = Field(default=None, gt=0, le=3600)
    """The longest time between two samples that is bridged, seconds; without it, 2.5 samples."""
    mean: tuple[Finite, ...] = Field(default=(), max_length=256)
    """What is taken from each channel; empty: nothing."""
    std: tuple[Positive, ...] = Field(default=(), max_length=256)
    """What each channel is divided by after that; empty: nothing."""

    @property
    def step(self) -> int:
        """Samples from one window to the next."""
        return self.hop or self.window

    def bridged_s(self, rate: float) -> float:
        """Give the longest time between two samples that is bridged, seconds."""
        return _BRIDGED / rate if self.max_gap_s is None else self.max_gap_s


class Resampling(Cutting):
    """How samples of any pace become windows of a fixed one."""

    rate: float = Field(gt=0, le=1_000_000)
    """Samples a second in the windows; what is measured at other times is interpolated."""

    def patience_s(self, silence_s: float) -> float:
        """Give after how long without a sample a sensor that is asked at this rate is lost, seconds."""
        return max(silence_s, _BRIDGED / self.rate)

    @model_validator(mode="after")
    def _gap_is_bounded(self) -> Resampling:
        if self.bridged_s(self.rate) * self.rate > MOST_BRIDGED:
            raise ValueError(f"max_gap_s and rate make more than {MOST_BRIDGED} samples of one gap")
        return self
