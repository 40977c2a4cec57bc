"""Spectra against scipy's, which computes them in another way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import fft, signal

from agent.features import spectrum
from agent.features.mel import mel_bands

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


@given(st.integers(0, 1000), st.integers(480, 3000), st.integers(1, 400))
def test_log_mel_is_that_of_scipys_spectra_to_a_thousandth(seed: int, count: int, hop: int) -> None:
    samples = noise(seed, count)
    weights = mel_bands(20, 512, 16000, 300, 8000)
    made = spectrum.log_mel(samples, 480, hop, weights)
    shape = signal.windows.hann(480, sym=False)
    rows = [np.abs(fft.rfft(samples[at : at + 480] * shape, 512)) ** 2 for at in range(0, count - 479, hop)]
    assert made.dtype == np.float32
    np.testing.assert_allclose(made, np.log(np.array(rows) @ weights.T), atol=1e-3)


@given(st.integers(0, 1000), st.sampled_from([64, 400, 480]), st.integers(10, 400), st.sampled_from([1, 2]))
def test_the_frames_spectra_are_scipys_short_time_fourier_transform(
    seed: int, length: int, hop: int, power: int
) -> None:
    samples = noise(seed, 3000)
    shape = signal.windows.hann(length, sym=False)
    transform = signal.ShortTimeFFT(shape, hop, fs=1, mfft=512, phase_shift=None)
    first = max(transform.lower_border_end[1], -(-(length // 2) // hop))  # before it the samples are padded
    theirs = np.abs(transform.stft(samples, p0=first, p1=transform.upper_border_begin(3000)[1])).T ** power
    at = first * hop - length // 2
    made = spectrum.log_mel(samples[at:], length, hop, np.eye(257), power=power)[: len(theirs)]
    np.testing.assert_allclose(made, np.log(theirs[: len(made)]), atol=1e-3)


def test_decibels_are_of_the_power_and_an_offset_is_added_before_the_floor() -> None:
    samples, weights = noise(3, 1000), mel_bands(20, 512, 16000, 300, 8000)
    bands = np.exp(spectrum.log_mel(samples, 480, 160, weights).astype(np.float64))
    square = spectrum.log_mel(samples, 480, 160, weights, decibel=True)
    np.testing.assert_allclose(square, 10 * np.log10(bands), atol=1e-3)
    plain = np.exp(spectrum.log_mel(samples, 480, 160, weights, power=1).astype(np.float64))
    single = spectrum.log_mel(samples, 480, 160, weights, power=1, decibel=True)
    np.testing.assert_allclose(single, 20 * np.log10(plain), atol=1e-3)
    more = spectrum.log_mel(samples, 480, 160, weights, offset=500.0, floor=800.0)
    np.testing.assert_allclose(more, np.log(np.maximum(bands + 500, 800)), atol=1e-3)


def test_silence_has_a_finite_logarithm() -> None:
    weights = mel_bands(20, 512, 16000, 300, 8000)
    assert np.isfinite(spectrum.log_mel(np.zeros(480), 480, 160, weights)).all()


@given(st.integers(0, 1000), st.integers(1, 60), st.data())
def test_cepstral_coefficients_are_scipys_to_a_hundred_thousandth(
    seed: int, bands: int, data: st.DataObject
) -> None:
    count = data.draw(st.integers(1, bands))
    logs = noise(seed, 4, bands)
    expected = fft.dct(logs, type=2, norm="ortho", axis=-1)[:, :count]
    np.testing.assert_allclose(spectrum.mfcc(logs, count), expected, atol=1e-5)
    # The HTK Book's, and tf.signal.mfccs_from_log_mel_spectrograms: the plain DCT by the root of 2 N.
    plain = fft.dct(logs, type=2, axis=-1)[:, :count] / np.sqrt(2 * bands)
    np.testing.assert_allclose(spectrum.mfcc(logs, count, htk=True), plain, atol=1e-5)
