"""Spectra of one channel: magnitudes, mel bands and cepstral coefficients.

Formulas: mel scale and triangles as in the HTK Book 3.4, section 5.4 (mel = 2595 log10(1 + f / 700));
cepstral coefficients after Davis and Mermelstein, IEEE ASSP-28 (1980), by the orthonormal DCT-II.
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


def mel(hertz: Array) -> Array:
    """Give the pitch of frequencies in mel."""
    pitch: Array = 2595 * np.log10(1 + np.asarray(hertz) / 700)
    return pitch


def mel_bands(bands: int, points: int, rate: float, low: float, high: float) -> Array:
    """Give the weights of triangles that are equally spaced and half-overlapping in mel, each 1 at its peak.

    Args:
        bands: how many.
        points: of the Fourier transform.
        rate: samples a second.
        low: lower end of the first triangle, Hz.
        high: upper end of the last one, Hz, at most half the rate.

    Returns:
        float64 (bands, points // 2 + 1).

    Raises:
        ValueError: the limits are not ascending, or beyond half the rate.
    """
    if not 0 <= low < high <= rate / 2:
        raise ValueError(f"mel bands from {low} to {high} Hz do not fit {rate} samples a second")
    edges = np.linspace(mel(np.array(low)), mel(np.array(high)), bands + 2)[:, None]
    at = mel(np.arange(points // 2 + 1) * (rate / points))
    rising = (at - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - at) / (edges[2:] - edges[1:-1])
    weights: Array = np.maximum(0, np.minimum(rising, falling))
    return weights


def log_mel(samples: Array, length: int, hop: int, weights: Array) -> Array:
    """Give the natural logarithm of the power in mel bands, frame by frame.

    Args:
        samples: float (n).
        length: of a frame, samples; a Hann window is applied.
        hop: samples from one frame to the next.
        weights: of ``mel_bands``; its width says how many points the transform has.

    Returns:
        float32 (frames, bands).

    Raises:
        ValueError: there is no whole frame.
    """
    points = 2 * (weights.shape[1] - 1)
    power = magnitudes(frames(samples, length, hop) * hann(length), points) ** 2
    logs: Array = np.log(np.maximum(power @ weights.T, FLOOR))
    return logs.astype(np.float32)


def mfcc(log_bands: Array, count: int) -> Array:
    """Give the first ``count`` cepstral coefficients of ``log_mel``: its orthonormal DCT-II.

    Args:
        log_bands: float (frames, bands).
        count: at most ``bands``.

    Returns:
        float32 (frames, count).
    """
    bands = log_bands.shape[-1]
    angles = np.pi * (2 * np.arange(bands)[:, None] + 1) * np.arange(count) / (2 * bands)
    basis = np.cos(angles) * np.sqrt(2 / bands)
    basis[:, 0] = np.sqrt(1 / bands)
    coefficients: Array = log_bands @ basis
    return coefficients.astype(np.float32)
