"""Spectra: magnitudes, logarithms of mel bands, and cepstral coefficients.

Cepstral coefficients are those of Davis and Mermelstein, IEEE ASSP-28 (1980): the DCT-II of the logarithms of
mel bands.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from agent.types import Array

FLOOR = 1e-10
"""The least power whose logarithm is taken."""


def hann(length: int) -> Array:
    """Give the periodic Hann window, float64 (length): 0.5 - 0.5 cos(2 pi n / length), or 1 for one."""
    if length == 1:
        return np.ones(1)
    shape: Array = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(length) / length)
    return shape


def frames(samples: Array, length: int, hop: int) -> Array:
    """Give the whole frames in ``samples`` (n), as a read-only view (count, length); none is padded.

    Raises:
        ValueError: there are fewer samples than one frame has, or ``hop`` is not positive.
    """
    if hop < 1 or len(samples) < length:
        raise ValueError(f"{len(samples)} samples hold no frame of {length} with hop {hop}")
    view: Array = np.lib.stride_tricks.sliding_window_view(samples, length)[::hop]
    return view


def magnitudes(signal: Array, points: int | None = None) -> Array:
    """Give the magnitudes of the discrete Fourier transform, |X(k)| for k from 0 to n / 2.

    Args:
        signal: float (..., length); nothing is taken off and no window is applied.
        points: of the transform, n; without it as many as samples. More pad with zeros.

    Returns:
        float64 (..., n // 2 + 1), in the signal's unit times samples; bin k lies at k * rate / n.
    """
    spectrum: Array = np.abs(np.fft.rfft(signal, points, axis=-1))
    return spectrum


def amplitudes(signal: Array) -> Array:
    """Give the one-sided amplitude spectrum with a Hann window: a sine in mid-bin shows its own amplitude.

    Args:
        signal: float (samples, channels).

    Returns:
        float64 (samples // 2 + 1, channels), in the signal's unit.
    """
    length = len(signal)
    shape = hann(length)
    spectrum: Array = magnitudes((signal * shape[:, None]).T).T / shape.sum()
    last = length // 2 if length % 2 == 0 else length  # with an even length the last bin has no twin
    spectrum[1:last] *= 2
    return spectrum


def log_mel(
    samples: Array,
    length: int,
    hop: int,
    weights: Array,
    *,
    power: int = 2,
    decibel: bool = False,
    offset: float = 0.0,
    floor: float = FLOOR,
) -> Array:
    """Give the logarithm of the power in mel bands, frame by frame: log(max(bands + offset, floor)).

    Args:
        samples: float (n).
        length: of a frame, samples; a Hann window is applied.
        hop: samples from one frame to the next.
        weights: of ``mel_bands``; its width says how many points the transform has.
        power: 2 sums up squared magnitudes, 1 magnitudes.
        decibel: give decibels of the power, 10 log10 or 20 log10, in place of the natural logarithm.
        offset: is added to each band.
        floor: the least whose logarithm is taken.

    Returns:
        float32 (frames, bands).

    Raises:
        ValueError: there is no whole frame.
    """
    points = 2 * (weights.shape[1] - 1)
    shown = magnitudes(frames(samples, length, hop) * hann(length), points)
    bands = (shown * shown if power == 2 else shown) @ weights.T
    logs: Array = np.log(np.maximum(bands + offset, floor))
    return (logs * (20 / power / np.log(10)) if decibel else logs).astype(np.float32)


def mfcc(log_bands: Array, count: int, *, htk: bool = False) -> Array:
    """Give the first ``count`` cepstral coefficients of ``log_mel``: its DCT-II.

    Args:
        log_bands: float (frames, bands).
        count: at most ``bands``.
        htk: scale all by the root of 2 / bands, as the HTK Book and TensorFlow do; else the transform is
            orthonormal, and the one of order 0 smaller by the root of 2.

    Returns:
        float32 (frames, count).
    """
    bands = log_bands.shape[-1]
    angles = np.pi * (2 * np.arange(bands)[:, None] + 1) * np.arange(count) / (2 * bands)
    basis = np.cos(angles) * np.sqrt(2 / bands)
    if not htk:
        basis[:, 0] = np.sqrt(1 / bands)
    coefficients: Array = log_bands @ basis
    return coefficients.astype(np.float32)
