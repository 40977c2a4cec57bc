"""The features that micro_speech was trained on: mel bands with noise taken off and gain controlled.

They are those of TensorFlow Lite Micro's audio preprocessor in its defaults, number by number: integers with
a fixed number of fractional bits, rounded where the original rounds. The gain control is PCAN: Lyon, "Human
and Machine Hearing" (2017); Wang et al., "Trainable Frontend For Robust and Far-Field Keyword Spotting",
arXiv:1607.05666 (2016).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from agent.features._integers import logarithms, power, roots, widths
from agent.features.spectrum import frames

if TYPE_CHECKING:
    from agent.types import Array

RATE, LENGTH, HOP = 16000, 480, 320
"""Samples a second, and in a frame of 30 ms and from one to the next."""
BANDS = 40

_POINTS = 512
_LOW_HZ, _HIGH_HZ = 125.0, 7500.0
_WEIGHT_BITS = 12
_NOISE_BITS = 14
_SMOOTHING = np.where(np.arange(BANDS) % 2 == 0, int(0.025 * 2**_NOISE_BITS), int(0.06 * 2**_NOISE_BITS))
_ESTIMATE_BITS = 10
_REMAINING = int(0.05 * 2**_NOISE_BITS)
_STRENGTH, _OFFSET, _GAIN_BITS, _GAIN_INPUT_BITS, _SNR_SHIFT = 0.95, 80.0, 21, 7, 6
_SNR_BITS, _LOG_BITS, _CORRECTION_BITS = 12, 6, 3
_WORD = 32


class SpeechFeatures:
    """The features of one stream of speech; it keeps an estimate of the noise from frame to frame."""

    def __init__(self) -> None:
        self._noise = np.zeros(BANDS, np.int64)

    def __call__(self, samples: Array) -> Array:
        """Give the features of the whole frames in ``samples``.

        Args:
            samples: int16 (n), at 16 kHz.

        Returns:
            int8 (frames, 40), as the int8 models take them; one second makes 49 frames.

        Raises:
            ValueError: there is no whole frame.
        """
        bands = _bands(frames(samples.astype(np.int64), LENGTH, HOP))
        noise = self._noises(bands << _ESTIMATE_BITS)
        logs = logarithms(_controlled(_without(noise, bands), noise) << _CORRECTION_BITS, 1 << _LOG_BITS)
        features: Array = np.clip((logs * 256 + 333) // 666 - 128, -128, 127)
        return features.astype(np.int8)

    def _noises(self, loud: Array) -> Array:
        """Follow the slow part of each band, frame by frame: int64 (frames, 40)."""
        found = np.empty_like(loud)
        slow = 2**_NOISE_BITS - _SMOOTHING
        for number, fresh in enumerate(loud * _SMOOTHING):
            self._noise = (fresh + self._noise * slow) >> _NOISE_BITS
            found[number] = self._noise
        return found


def _bands(samples: Array) -> Array:
    """Give the magnitude in each mel band of frames (frames, 480): int64 (frames, 40)."""
    shaped = samples * _HANN >> _WEIGHT_BITS
    shift = np.maximum(0, 15 - widths(np.abs(shaped).max(axis=1)))[:, np.newaxis]
    padded = np.pad(shaped << shift, ((0, 0), (0, _POINTS - LENGTH)))
    sums = power(padded) @ _WEIGHTS  # float64 is exact: below 2^53
    bands: Array = roots(sums.astype(np.int64)) >> shift
    return bands


def _without(noise: Array, bands: Array) -> Array:
    """Take the noise off, and leave at least a twentieth."""
    loud = bands << _ESTIMATE_BITS
    rest = (loud - np.minimum(noise, loud)) >> _ESTIMATE_BITS
    least: Array = bands * _REMAINING >> _NOISE_BITS
    kept: Array = np.maximum(rest, least)
    return kept


def _controlled(bands: Array, noise: Array) -> Array:
    """Divide by the noise's own loudness, then compress: 6 fractional bits."""
    snr = bands * _gains(noise) >> _SNR_SHIFT
    quiet = snr * snr >> (2 + 2 * _SNR_BITS - _LOG_BITS)
    shrunk: Array = np.where(snr < 2 << _SNR_BITS, quiet, (snr >> (_SNR_BITS - _LOG_BITS)) - (1 << _LOG_BITS))
    return shrunk


def _gains(noise: Array) -> Array:
    """Give the gain for each noise: a parabola through three points of each octave."""
    octave = widths(noise)
    start, slope, bend = _GAINS[octave].transpose(2, 0, 1)
    scaled = noise << np.maximum(0, 11 - octave) >> np.maximum(0, octave - 11)
    share = scaled & 0x3FF
    risen = ((bend * share >> 5) + (slope << 5)) * share
    gains: Array = start + ((risen + (1 << 14)) >> 15)
    return gains


def _gain_table() -> Array:
    """Give start, slope and bend of the gain in each octave, that of noise 0 first: int64 (33, 3)."""
    table = np.zeros((_WORD + 1, 3), np.int64)
    table[:2, 0] = _gain(0), _gain(1)
    for octave in range(2, _WORD + 1):
        low = 1 << (octave - 1)
        high = 2 * low - (octave == _WORD)
        start, middle, end = _gain(low), _gain(low + low // 2), _gain(high)
        slope = 4 * (middle - start) - (end - start)
        table[octave] = start, slope, end - start - slope
    return table


def _gain(noise: int) -> int:
    gain = 2.0**_GAIN_BITS * (noise / 2**_GAIN_INPUT_BITS + _OFFSET) ** -_STRENGTH
    return min(0x7FFF, int(gain + 0.5))


def _hann() -> Array:
    """Give the window as integers of 12 bits: int64 (480)."""
    angles = 2 * np.pi * (np.arange(LENGTH) + 0.5) / LENGTH
    window: Array = np.floor((0.5 - 0.5 * np.cos(angles)) * 2**_WEIGHT_BITS + 0.5)
    return window.astype(np.int64)


def _band_weights() -> Array:
    """Give the triangles' weights as integers of 12 bits: int64 (40, 257)."""
    edges = np.linspace(_mel(_LOW_HZ), _mel(_HIGH_HZ), BANDS + 2)
    weights = np.zeros((BANDS, _POINTS // 2 + 1), np.int64)
    hz = RATE / _POINTS
    for one in range(round(1 + _LOW_HZ / hz), _POINTS // 2):
        above = int(np.searchsorted(edges, _mel(one * hz)))  # the first edge at or above
        if above > BANDS + 1:
            break
        left = (edges[above] - _mel(one * hz)) / (edges[above] - edges[above - 1])
        if above >= 2:
            weights[above - 2, one] = int(left * 2**_WEIGHT_BITS)
        if above <= BANDS:
            weights[above - 1, one] = int((1 - left) * 2**_WEIGHT_BITS)
    return weights


def _mel(hertz: float) -> float:
    return 1127.0 * math.log1p(hertz / 700.0)


_HANN, _WEIGHTS, _GAINS = _hann(), _band_weights().T.astype(np.float64), _gain_table()
