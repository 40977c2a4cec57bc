"""The features that micro_speech was trained on: mel bands with noise taken off and gain controlled.

The steps are those of TensorFlow Lite Micro's audio preprocessor in its defaults: integers with a fixed
number of fractional bits, rounded down at each step. Two things differ, by an integer now and then: the
Fourier transform is float64 and rounded at its end, where the original rounds at each stage, and the gain is
computed, where the original interpolates it. The gain control is PCAN: Lyon, "Human and Machine Hearing"
(2017); Wang et al., "Trainable Frontend For Robust and Far-Field Keyword Spotting" (2017).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

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


class SpeechFeatures:
    """The features of one stream of speech; it keeps an estimate of the noise from frame to frame."""

    def __init__(self) -> None:
        angles = 2 * np.pi * (np.arange(LENGTH) + 0.5) / LENGTH
        self._hann = np.floor((0.5 - 0.5 * np.cos(angles)) * 2**_WEIGHT_BITS + 0.5).astype(np.int64)
        self._weights = _band_weights()
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
        logs = [self._frame(frame) for frame in frames(samples.astype(np.int64), LENGTH, HOP)]
        stored = (np.array(logs) * 256 + 333) // 666 - 128
        features: Array = np.clip(stored, -128, 127)
        return features.astype(np.int8)

    def _frame(self, frame: Array) -> Array:
        """Give 64 times the logarithm of what one frame holds: int64 (40)."""
        shaped = frame * self._hann >> _WEIGHT_BITS
        shift = max(0, 15 - int(np.abs(shaped).max()).bit_length())
        spectrum = np.fft.rfft(shaped << shift, _POINTS) / _POINTS
        power = np.rint(spectrum.real).astype(np.int64) ** 2 + np.rint(spectrum.imag).astype(np.int64) ** 2
        bands = np.array([math.isqrt(int(band)) >> shift for band in self._weights @ power])
        return _logarithms(self._controlled(self._without_noise(bands)))

    def _without_noise(self, bands: Array) -> Array:
        """Take the slow part of each band off, and leave at least a twentieth."""
        loud = bands << _ESTIMATE_BITS
        self._noise = (loud * _SMOOTHING + self._noise * (2**_NOISE_BITS - _SMOOTHING)) >> _NOISE_BITS
        rest = (loud - np.minimum(self._noise, loud)) >> _ESTIMATE_BITS
        least: Array = bands * _REMAINING >> _NOISE_BITS
        kept: Array = np.maximum(rest, least)
        return kept

    def _controlled(self, bands: Array) -> Array:
        """Divide by the noise's own loudness, then compress: 6 fractional bits."""
        gain = 2.0**_GAIN_BITS * (self._noise / 2**_GAIN_INPUT_BITS + _OFFSET) ** -_STRENGTH
        snr = bands * np.minimum(np.floor(gain + 0.5), 0x7FFF).astype(np.int64) >> _SNR_SHIFT
        one = 1 << _LOG_BITS
        quiet = snr * snr >> (2 + 2 * _SNR_BITS - _LOG_BITS)
        shrunk: Array = np.where(snr < 2 << _SNR_BITS, quiet, (snr >> (_SNR_BITS - _LOG_BITS)) - one)
        return shrunk


def _logarithms(bands: Array) -> Array:
    scaled = np.maximum(bands << _CORRECTION_BITS, 1)
    logs: Array = np.floor(np.log(scaled) * 2**_LOG_BITS + 0.5)
    return logs.astype(np.int64)


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
