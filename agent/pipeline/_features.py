"""The features that a manifest names, as functions of windows: what each gives, and of which shape."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np

from agent.features import spectrum, speech
from agent.features.mel import mel_bands
from agent.features.statistics import NAMES, statistics
from agent.features.tables import LogMel, MelBands, Mfcc, MicroSpeech, Spectrum, Statistics

if TYPE_CHECKING:
    from agent.types import Array

MAX_POINTS = 1 << 22
"""All frames of a window together have at most so many points."""

_FULL_SCALE = 32768
_STEP = 26 / 256
"""What one step of micro_speech's bytes stands for: they span 0 to 26."""


class Extractor(Protocol):
    """Makes features of windows, float (samples, channels)."""

    def shape(self, samples: int, channels: int) -> tuple[int, ...]:
        """Give the features' shape.

        Raises:
            ValueError: such a window has none.
        """

    def least(self, values: int, channels: int) -> int | None:
        """Give the samples of the shortest window that makes so many values; None where none does."""

    def __call__(self, window: Array) -> Array:
        """Compute them."""


def extractor(features: LogMel | Mfcc | Spectrum | Statistics | MicroSpeech, dtype: str) -> Extractor:
    """Make what computes them for an input of that type."""
    match features:
        case LogMel() | Mfcc():
            return _Bands(features)
        case Spectrum():
            return _Spectrum(features)
        case Statistics():
            return _Statistics(features)
        case MicroSpeech():
            return _MicroSpeech(as_stored=dtype == "int8")


class _Framed:
    """What is computed frame by frame: of several channels, the channel is the last dimension."""

    def __init__(self, frame: int, hop: int, width: int, points: int) -> None:
        self._frame, self._hop, self._width, self._points = frame, hop, width, points

    def shape(self, samples: int, channels: int) -> tuple[int, ...]:
        if samples < self._frame:
            raise ValueError(f"{samples} samples hold no frame of {self._frame}")
        count = 1 + (samples - self._frame) // self._hop
        if count * self._points > MAX_POINTS:
            raise ValueError(f"{count} frames of {self._points} points are more than we compute")
        return (count, self._width) if channels == 1 else (count, self._width, channels)

    def least(self, values: int, channels: int) -> int | None:
        count, rest = divmod(values, self._width * channels)
        return None if rest else self._frame + (count - 1) * self._hop


class _Bands(_Framed):
    def __init__(self, told: LogMel | Mfcc) -> None:
        width = told.count if isinstance(told, Mfcc) else told.bands
        super().__init__(told.frame, told.hop, width, told.transform)
        self._told = told
        self._weights = _weights(told)

    def __call__(self, window: Array) -> Array:
        made = [self._of(window[:, one]) for one in range(window.shape[1])]
        return made[0] if len(made) == 1 else np.stack(made, axis=-1)

    def _of(self, samples: Array) -> Array:
        told = self._told
        if told.peak:
            samples = samples / (np.abs(samples).max() or 1.0)
        logs = spectrum.log_mel(
            samples,
            told.frame,
            told.hop,
            self._weights,
            power=told.power,
            decibel=told.log == "decibel",
            offset=told.offset,
            floor=told.floor,
        )
        return spectrum.mfcc(logs, told.count, htk=told.dct == "htk") if isinstance(told, Mfcc) else logs


def _weights(told: MelBands) -> Array:
    return mel_bands(
        told.bands,
        told.transform,
        told.rate,
        told.low_hz,
        told.highest_hz,
        scale=told.mel,
        straight=told.slopes or ("mel" if told.mel == "htk" else "hertz"),
        area=told.norm == "area",
    )


class _Spectrum:
    def __init__(self, told: Spectrum) -> None:
        self._told = told

    def shape(self, samples: int, channels: int) -> tuple[int, ...]:
        return samples // 2 + 1, channels

    def least(self, values: int, channels: int) -> int | None:
        bins, rest = divmod(values, channels)
        return None if rest else max(1, 2 * (bins - 1))

    def __call__(self, window: Array) -> Array:
        made = spectrum.amplitudes(np.asarray(window, np.float64))
        if self._told.scale == "decibel":
            made = 20 * np.log10(np.maximum(made, self._told.floor))
        return made


class _Statistics:
    def __init__(self, told: Statistics) -> None:
        self._picks = [NAMES.index(name) for name in told.of]

    def shape(self, samples: int, channels: int) -> tuple[int, ...]:  # noqa: ARG002 - of any length
        return len(self._picks), channels

    def least(self, values: int, channels: int) -> int | None:
        return 1 if values == len(self._picks) * channels else None

    def __call__(self, window: Array) -> Array:
        made: Array = statistics(window)[self._picks]
        return made


class _MicroSpeech(_Framed):
    """Each window is a stream of its own: the noise before it is not known, as in training."""

    def __init__(self, *, as_stored: bool) -> None:
        super().__init__(speech.LENGTH, speech.HOP, speech.BANDS, speech.LENGTH)
        self._as_stored = as_stored

    def shape(self, samples: int, channels: int) -> tuple[int, ...]:
        if channels != 1:
            raise ValueError(f"it takes one channel, and the window has {channels}")
        return super().shape(samples, channels)

    def least(self, values: int, channels: int) -> int | None:
        return super().least(values, channels) if channels == 1 else None

    def __call__(self, window: Array) -> Array:
        samples = np.clip(np.rint(window[:, 0] * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE - 1)
        made = speech.SpeechFeatures()(samples.astype(np.int16))
        return made if self._as_stored else (made.astype(np.float32) + 128) * _STEP
