"""Statistics of a window, channel by channel; moments are those of the population (divided by n)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from agent.types import Array

NAMES = ("mean", "std", "min", "max", "rms", "peak_to_peak", "skewness", "kurtosis", "crest")
"""What ``statistics`` gives, in this order."""


def statistics(window: Array) -> Array:
    """Describe each channel in ``NAMES``.

    Skewness is m3 / m2^1.5 and kurtosis m4 / m2^2 - 3 (Fisher's: 0 for a normal distribution); crest is the
    largest magnitude by the rms. Where a channel does not vary the two are 0; where it is all 0 the crest is,
    too.

    Args:
        window: float (samples, channels), at least one sample.

    Returns:
        float32 (len(NAMES), channels); computed in float64.
    """
    values = np.asarray(window, np.float64)
    mean, low, high = values.mean(axis=0), values.min(axis=0), values.max(axis=0)
    off = values - mean
    second = (off**2).mean(axis=0)
    varies = np.sqrt(second) > 1e-12 * np.maximum(np.abs(low), np.abs(high))  # else rounding alone
    scale = np.where(varies, second, 1.0)
    skewness = np.where(varies, (off**3).mean(axis=0) / scale**1.5, 0.0)
    kurtosis = np.where(varies, (off**4).mean(axis=0) / scale**2 - 3, 0.0)
    rms = np.sqrt((values**2).mean(axis=0))
    largest = np.maximum(np.abs(low), np.abs(high))
    crest = largest / np.where(rms > 0, rms, 1.0)
    return np.stack([mean, np.sqrt(second), low, high, rms, high - low, skewness, kurtosis, crest]).astype(
        np.float32
    )
