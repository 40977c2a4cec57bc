"""Spectra against scipy's, which computes them in another way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import fft, signal

from agent.features import spectrum

if TYPE_CHECKING:
    from agent.types import Array


def noise(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


@given(st.integers(0, 1000), st.integers(1, 600), st.integers(0, 80))
def test_magnitudes_are_scipys_to_a_part_in_a_billion(seed: int, length: int, more: int) -> None:
    samples = noise(seed, 3, length)
    expected = np.abs(fft.fft(samples, length + more, axis=-1))[:, : (length + more) // 2 + 1]
    np.testing.assert_allclose(spectrum.magnitudes(samples, length + more), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("length", [1, 2, 255, 480, 512])
def test_the_window_is_scipys_hann(length: int) -> None:
    np.testing.assert_allclose(spectrum.hann(length), signal.windows.hann(length, sym=False), atol=1e-15)


@pytest.mark.parametrize("length", [255, 256])
def test_the_amplitudes_are_scipys_and_a_sine_shows_its_own(length: int) -> None:
    angles = 2 * np.pi * 16 * np.arange(length) / length
    window = np.stack([3 * np.sin(angles), 0.5 * np.cos(angles + 1) + 2], axis=1)
    mine = spectrum.amplitudes(window)
    assert mine[16] == pytest.approx([3, 0.5])
    assert mine[0] == pytest.approx([0, 2], abs=1e-9)
    window = noise(7, length, 2)
    # scipy's power is the square of the effective value, but for the ends, which have no twin.
    _, power = signal.periodogram(window, 1, "hann", detrend=False, scaling="spectrum", axis=0)
    theirs = np.sqrt(power * 2)
    theirs[0] /= np.sqrt(2)
    if length % 2 == 0:
        theirs[-1] /= np.sqrt(2)
    np.testing.assert_allclose(spectrum.amplitudes(window), theirs, rtol=1e-9)


def test_frames_are_whole_and_hop() -> None:
    assert spectrum.frames(np.arange(10), 4, 3).tolist() == [[0, 1, 2, 3], [3, 4, 5, 6], [6, 7, 8, 9]]
    assert spectrum.frames(np.arange(9), 4, 3).tolist() == [[0, 1, 2, 3], [3, 4, 5, 6]]
    with pytest.raises(ValueError, match="3 samples hold no frame of 4"):
        spectrum.frames(np.arange(3), 4, 1)
    with pytest.raises(ValueError, match="hop 0"):
        spectrum.frames(np.arange(9), 4, 0)


def test_a_thousand_hertz_are_a_thousand_mel() -> None:
    assert float(spectrum.mel(np.array(1000.0))) == pytest.approx(1000, abs=0.02)


@given(st.integers(1, 60), st.sampled_from([256, 400, 512]), st.floats(0, 300), st.floats(1000, 8000))
def test_the_bands_are_triangles_that_sum_to_one_between_the_outer_peaks(
    bands: int, points: int, low: float, high: float
) -> None:
    weights = spectrum.mel_bands(bands, points, 16000, low, high)
    assert weights.shape == (bands, points // 2 + 1)
    assert weights.min() >= 0
    assert weights.max() <= 1
    at = spectrum.mel(np.arange(points // 2 + 1) * 16000 / points)
    edges = np.linspace(spectrum.mel(np.array(low)), spectrum.mel(np.array(high)), bands + 2)
    for band in range(bands):
        corners = edges[band : band + 3]
        np.testing.assert_allclose(weights[band], np.interp(at, corners, [0, 1, 0]), atol=1e-9)
    between = (at >= edges[1]) & (at <= edges[-2])
    np.testing.assert_allclose(weights[:, between].sum(axis=0), 1, atol=1e-9)


@pytest.mark.parametrize(("low", "high"), [(-1, 4000), (4000, 4000), (20, 8001)])
def test_limits_that_do_not_fit_are_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="do not fit 16000 samples a second"):
        spectrum.mel_bands(40, 512, 16000, low, high)


@given(st.integers(0, 1000), st.integers(480, 3000), st.integers(1, 400))
def test_log_mel_is_that_of_scipys_spectra_to_a_thousandth(seed: int, count: int, hop: int) -> None:
    samples = noise(seed, count)
    weights = spectrum.mel_bands(20, 512, 16000, 300, 8000)
    made = spectrum.log_mel(samples, 480, hop, weights)
    shape = signal.windows.hann(480, sym=False)
    rows = [np.abs(fft.rfft(samples[at : at + 480] * shape, 512)) ** 2 for at in range(0, count - 479, hop)]
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, np.log(np.array(rows) @ weights.T), atol=1e-3)


def test_silence_has_a_finite_logarithm() -> None:
    weights = spectrum.mel_bands(20, 512, 16000, 300, 8000)
    assert np.isfinite(spectrum.log_mel(np.zeros(480), 480, 160, weights)).all()


@given(st.integers(0, 1000), st.integers(1, 60), st.data())
def test_cepstral_coefficients_are_scipys_to_a_hundred_thousandth(
    seed: int, bands: int, data: st.DataObject
) -> None:
    count = data.draw(st.integers(1, bands))
    logs = noise(seed, 4, bands)
    expected = fft.dct(logs, type=2, norm="ortho", axis=-1)[:, :count]
    np.testing.assert_allclose(spectrum.mfcc(logs, count), expected, atol=1e-5)
