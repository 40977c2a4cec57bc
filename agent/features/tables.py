"""What a model is told of windows of samples: the features that it takes, and how numbers are normalised.

Lengths are samples and frequencies hertz. What each kind computes stands beside this file, and
docs/features.md explains it.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

Statistic = Literal["mean", "std", "min", "max", "rms", "peak_to_peak", "skewness", "kurtosis", "crest"]
STATISTICS: tuple[Statistic, ...] = get_args(Statistic)

_Finite = Annotated[float, Field(allow_inf_nan=False)]
_Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_Over = Literal["window", "channel"]

MAX_VALUES = 1 << 14
"""A mean or std may have so many numbers."""


class _Part(BaseModel):
    """Frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class MelBands(_Part):
    """How logarithms of the power in mel bands are made, frame by frame."""

    rate: float = Field(gt=0, le=1_000_000)
    """Samples a second, as the source gives them."""
    frame: int = Field(ge=2, le=16384)
    """Samples in a frame; a Hann window is applied."""
    hop: int = Field(ge=1, le=65536)
    """Samples from one frame to the next."""
    peak: bool = False
    """Whether the window is divided by its largest magnitude first, so that loudness does not matter."""
    points: int | None = Field(default=None, ge=2, le=16384)
    """Points of the Fourier transform, even; without it, the next power of two from `frame` on."""
    bands: int = Field(default=40, ge=1, le=256)
    """How many bands."""
    low_hz: float = Field(default=20.0, ge=0, le=500_000)
    """Where the lowest band begins."""
    high_hz: float | None = Field(default=None, gt=0, le=500_000)
    """Where the highest band ends; without it, half of `rate`."""
    mel: Literal["htk", "slaney"] = "htk"
    """The scale of pitch: the HTK Book's, or that of Slaney's Auditory Toolbox."""
    slopes: Literal["mel", "hertz"] | None = None
    """On which scale a triangle's sides are straight; without it, mel for `htk` and hertz for `slaney`."""
    norm: Literal["peak", "area"] = "peak"
    """What is 1: each triangle's peak, or its area over hertz."""
    power: Literal[1, 2] = 2
    """Of the magnitudes that the bands sum up."""
    log: Literal["natural", "decibel"] = "natural"
    """The logarithm: natural, or decibels of the power."""
    offset: float = Field(default=0.0, ge=0, le=1e6)
    """What is added before the logarithm is taken."""
    floor: float = Field(default=1e-10, gt=0, le=1e6)
    """The least number whose logarithm is taken."""

    @property
    def transform(self) -> int:
        """Points of the Fourier transform."""
        return self.points or 1 << (self.frame - 1).bit_length()

    @property
    def highest_hz(self) -> float:
        """Where the highest band ends."""
        return self.rate / 2 if self.high_hz is None else self.high_hz

    @model_validator(mode="after")
    def _fits(self) -> MelBands:
        if self.transform < self.frame or self.transform % 2:
            raise ValueError(
                f"points: {self.transform} are not even, or fewer than the {self.frame} of a frame"
            )
        if not self.low_hz < self.highest_hz <= self.rate / 2:
            problem = f"low_hz {self.low_hz:g} is not below high_hz {self.highest_hz:g}"
            raise ValueError(f"{problem}, or that is above half the rate, {self.rate / 2:g}")
        return self


class LogMel(MelBands):
    """Logarithms of the power in mel bands, frame by frame: (frames, bands)."""

    kind: Literal["log_mel"]


class Mfcc(MelBands):
    """Mel-frequency cepstral coefficients, frame by frame: (frames, count)."""

    kind: Literal["mfcc"]
    count: int = Field(default=13, ge=1, le=256)
    """How many coefficients, from the one of order 0 on."""
    dct: Literal["orthonormal", "htk"] = "orthonormal"
    """How the cosine transform is scaled: they differ in the coefficient of order 0, by the root of 2."""

    @model_validator(mode="after")
    def _counts(self) -> Mfcc:
        if self.count > self.bands:
            raise ValueError(f"count: {self.bands} bands have no {self.count} coefficients")
        return self


class Spectrum(_Part):
    """The amplitudes of a whole window, channel by channel: (samples // 2 + 1, channels)."""

    kind: Literal["spectrum"]
    scale: Literal["amplitude", "decibel"] = "amplitude"
    """Amplitudes in the samples' unit, or decibels of them."""
    floor: float = Field(default=1e-10, gt=0, le=1e6)
    """The least amplitude whose logarithm is taken."""


class Statistics(_Part):
    """Statistics of a whole window, channel by channel: (how many, channels)."""

    kind: Literal["statistics"]
    of: tuple[Statistic, ...] = Field(default=STATISTICS, min_length=1, max_length=32)
    """Which, in this order."""


class MicroSpeech(_Part):
    """What TensorFlow Lite Micro's micro_speech takes: (frames, 40), of one channel at 16 kHz."""

    kind: Literal["micro_speech"]


Features = Annotated[LogMel | Mfcc | Spectrum | Statistics | MicroSpeech, Field(discriminator="kind")]


class MeanStd(_Part):
    """(x - mean) / std, by numbers that the training gave.

    Each list has one number, one for each column (the last dimension: a channel, a band, a coefficient), or
    one for each value.
    """

    kind: Literal["mean_std"]
    mean: tuple[_Finite, ...] = Field(default=(0.0,), min_length=1, max_length=MAX_VALUES)
    """What is taken away."""
    std: tuple[_Positive, ...] = Field(default=(1.0,), min_length=1, max_length=MAX_VALUES)
    """What is divided by after that."""


class Zscore(_Part):
    """(x - mean) / std, by the window's own mean and standard deviation; what does not vary becomes 0."""

    kind: Literal["zscore"]
    over: _Over = "channel"
    """Whether each channel (the last dimension) has its own."""


class MinMax(_Part):
    """Stretched so that the window's least number becomes `low`, its greatest `high`."""

    kind: Literal["min_max"]
    over: _Over = "channel"
    """Whether each channel (the last dimension) has its own."""
    low: _Finite = 0.0
    """What the least becomes, and all of what does not vary."""
    high: _Finite = 1.0
    """What the greatest becomes."""


Normalise = Annotated[MeanStd | Zscore | MinMax, Field(discriminator="kind")]
