"""Statistics of windows against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from agent.features.statistics import NAMES, statistics


@given(st.integers(0, 10_000), st.integers(2, 400), st.floats(-50, 50), st.floats(0.01, 100))
def test_they_are_scipys_to_a_part_in_ten_thousand(seed: int, count: int, mean: float, spread: float) -> None:
    window = np.random.default_rng(seed).gamma(2, spread, (count, 3)) + mean
    found = dict(zip(NAMES, statistics(window), strict=True))
    expected = {
        "mean": np.mean(window, axis=0),
        "std": np.std(window, axis=0),
        "min": np.min(window, axis=0),
        "max": np.max(window, axis=0),
        "rms": np.sqrt(np.mean(window**2, axis=0)),
        "peak_to_peak": np.ptp(window, axis=0),
        "skewness": stats.skew(window, axis=0),
        "kurtosis": stats.kurtosis(window, axis=0),
        "crest": np.abs(window).max(axis=0) / np.sqrt(np.mean(window**2, axis=0)),
    }
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-4, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("level", [0.0, 1e-30, 0.1, -7.3e12])
def test_a_channel_that_does_not_vary_has_no_shape(level: float) -> None:
    found = dict(zip(NAMES, statistics(np.full((100, 1), level)), strict=True))
    assert found["skewness"] == found["kurtosis"] == 0
    assert found["peak_to_peak"] == 0
    assert np.isfinite(np.array(list(found.values()))).all()


def test_one_sample_is_enough() -> None:
    found = statistics(np.array([[-2.0, 0.0]], np.float32))
    assert found.shape == (len(NAMES), 2)
    assert found.dtype == np.float32
    assert found[:, 0].tolist() == [-2, 0, -2, -2, 2, 0, 0, 0, 1]
