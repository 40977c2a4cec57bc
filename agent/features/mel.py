"""Bands of pitch: two scales of mel, and the triangles that power is summed in.

``htk`` is the HTK Book's (3.4, section 5.4): mel = 2595 log10(1 + f / 700), which is what TensorFlow has.
``slaney`` is that of Slaney's Auditory Toolbox (Interval Research, Technical Report 1998-010), which librosa
has: a mel is 200 / 3 Hz below 1000 Hz, and above that 27 of them multiply the frequency by 6.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from agent.types import Array

Scale = Literal["htk", "slaney"]

_KNEE_HZ, _KNEE_MEL = 1000.0, 15.0
_STEP_HZ = _KNEE_HZ / _KNEE_MEL
_STEP_LOG = np.log(6.4) / 27


def mel(hertz: Array, scale: Scale = "htk") -> Array:
    """Give the pitch of frequencies, float64, in mel."""
    hertz = np.asarray(hertz, np.float64)
    if scale == "htk":
        pitch: Array = 2595 * np.log10(1 + hertz / 700)
        return pitch
    above = _KNEE_MEL + np.log(np.maximum(hertz, _KNEE_HZ) / _KNEE_HZ) / _STEP_LOG
    return np.where(hertz < _KNEE_HZ, hertz / _STEP_HZ, above)


def hertz_of(pitch: Array, scale: Scale = "htk") -> Array:
    """Give the frequencies of pitches in mel, float64, in Hz."""
    pitch = np.asarray(pitch, np.float64)
    if scale == "htk":
        hertz: Array = 700 * (10 ** (pitch / 2595) - 1)
        return hertz
    above = _KNEE_HZ * np.exp((np.maximum(pitch, _KNEE_MEL) - _KNEE_MEL) * _STEP_LOG)
    return np.where(pitch < _KNEE_MEL, pitch * _STEP_HZ, above)


def mel_bands(
    bands: int,
    points: int,
    rate: float,
    low: float,
    high: float,
    *,
    scale: Scale = "htk",
    straight: Literal["mel", "hertz"] = "mel",
    area: bool = False,
) -> Array:
    """Give the weights of triangles that are equally spaced and half-overlapping in mel.

    Args:
        bands: how many.
        points: of the Fourier transform.
        rate: samples a second.
        low: lower end of the first triangle, Hz.
        high: upper end of the last one, Hz, at most half the rate.
        scale: of mel.
        straight: the scale on which a triangle's sides are straight.
        area: whether each triangle's area over hertz is 1; else its peak is.

    Returns:
        float64 (bands, points // 2 + 1).

    Raises:
        ValueError: the limits are not ascending, or beyond half the rate.
    """
    if not 0 <= low < high <= rate / 2:
        raise ValueError(f"mel bands from {low} to {high} Hz do not fit {rate} samples a second")
    edges = np.linspace(mel(np.array(low), scale), mel(np.array(high), scale), bands + 2)[:, None]
    at = np.arange(points // 2 + 1) * (rate / points)
    hertz = hertz_of(edges, scale)
    if straight == "hertz":
        edges = hertz
    else:
        at = mel(at, scale)
    rising = (at - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - at) / (edges[2:] - edges[1:-1])
    weights: Array = np.maximum(0, np.minimum(rising, falling))
    return weights * (2 / (hertz[2:] - hertz[:-2])) if area else weights
