"""Scales of mel and bands in it, against the numbers of those who defined them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.features.mel import Scale, hertz_of, mel, mel_bands

if TYPE_CHECKING:
    from agent.types import Array

SCALES = get_args(Scale)
HERTZ = np.array([60, 110, 220, 440, 1000, 4000, 8000])
# As librosa 0.11's hz_to_mel has them.
SLANEY = np.array([0.9, 1.65, 3.3, 6.6, 15, 35.163760314616646, 45.245640471924965])


def test_a_thousand_hertz_are_a_thousand_mel() -> None:
    assert float(mel(np.array(1000.0))) == pytest.approx(1000, abs=0.02)


@given(st.integers(1, 60), st.sampled_from([256, 400, 512]), st.floats(0, 300), st.floats(1000, 8000))
def test_the_bands_are_triangles_that_sum_to_one_between_the_outer_peaks(
    bands: int, points: int, low: float, high: float
) -> None:
    weights = mel_bands(bands, points, 16000, low, high)
    assert weights.shape == (bands, points // 2 + 1)
    assert weights.min() >= 0
    assert weights.max() <= 1
    at = mel(np.arange(points // 2 + 1) * 16000 / points)
    edges = np.linspace(mel(np.array(low)), mel(np.array(high)), bands + 2)
    for band in range(bands):
        corners = edges[band : band + 3]
        np.testing.assert_allclose(weights[band], np.interp(at, corners, [0, 1, 0]), atol=1e-9)
    between = (at >= edges[1]) & (at <= edges[-2])
    np.testing.assert_allclose(weights[:, between].sum(axis=0), 1, atol=1e-9)


@pytest.mark.parametrize(("low", "high"), [(-1, 4000), (4000, 4000), (20, 8001)])
def test_limits_that_do_not_fit_are_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="do not fit 16000 samples a second"):
        mel_bands(40, 512, 16000, low, high)


def test_slaneys_mel_is_that_of_librosa() -> None:
    np.testing.assert_allclose(mel(HERTZ, "slaney"), SLANEY, rtol=1e-12)


@given(st.sampled_from(SCALES), st.floats(0, 500_000))
def test_a_pitch_leads_back_to_its_frequency(scale: Scale, hertz: float) -> None:
    assert float(hertz_of(mel(np.array(hertz), scale), scale)) == pytest.approx(hertz, rel=1e-9, abs=1e-9)


def triangles(scale: Scale, bands: int, points: int, rate: float, *, area: bool) -> Array:
    """Triangles with sides that are straight in hertz, written plainly."""
    pitches = np.linspace(mel(np.array(100.0), scale), mel(np.array(rate / 2), scale), bands + 2)
    corners = hertz_of(pitches, scale)
    at = np.arange(points // 2 + 1) * rate / points
    rows = [np.interp(at, corners[one : one + 3], [0, 1, 0], left=0, right=0) for one in range(bands)]
    heights = [2 / (corners[one + 2] - corners[one]) if area else 1 for one in range(bands)]
    scaled: Array = np.array(rows) * np.array(heights)[:, None]
    return scaled


@given(st.sampled_from(SCALES), st.integers(1, 60), st.sampled_from([256, 512]), st.booleans())
def test_bands_may_be_straight_in_hertz_and_have_an_area_of_one(
    scale: Scale, bands: int, points: int, area: bool
) -> None:
    made = mel_bands(bands, points, 16000, 100, 8000, scale=scale, straight="hertz", area=area)
    np.testing.assert_allclose(made, triangles(scale, bands, points, 16000, area=area), atol=1e-12)


@pytest.mark.parametrize("straight", ["mel", "hertz"])
@pytest.mark.parametrize("scale", SCALES)
def test_an_area_of_one_is_over_hertz(scale: Scale, straight: Literal["mel", "hertz"]) -> None:
    weights = mel_bands(8, 16384, 16000, 0, 8000, scale=scale, straight=straight, area=True)
    np.testing.assert_allclose(weights.sum(axis=1) * 16000 / 16384, 1, rtol=0.06)


def test_slaneys_bands_are_librosas() -> None:
    # librosa.filters.mel(sr=16000, n_fft=64, n_mels=5), version 0.11: the third band.
    theirs = [0, 0, 0, 0, 0, 3.9069032644e-04, 7.9040669821e-04, 1.0342849428e-03, 7.9627744149e-04]
    made = mel_bands(5, 64, 16000, 0, 8000, scale="slaney", straight="hertz", area=True)
    np.testing.assert_allclose(made[2, :9], theirs, rtol=1e-8)
