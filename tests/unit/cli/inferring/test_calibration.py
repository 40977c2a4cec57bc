"""A threshold from errors: quantiles, and on which side of it they lie."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from agent.cli.inferring.calibration import calibrate, error_of, quantile

ERRORS = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=60)


def test_the_figures_of_a_hundred_and_one_errors() -> None:
    found = calibrate([float(one) for one in range(101)], 0.99)
    assert (found.count, found.mean, found.p50, found.p95, found.p99, found.max) == (101, 50, 50, 95, 99, 100)
    assert found.std == pytest.approx(np.arange(101).std())
    assert (found.threshold, found.above) == (99.01, 1)


def test_sigmas_are_counted_from_the_mean() -> None:
    found = calibrate([1.0, 3.0], 0.99, sigmas=3)
    assert (found.mean, found.std, found.threshold) == (2.0, 1.0, 5.001)


@pytest.mark.parametrize(
    "items", [[], [{}], ["x"], [None], [{"error": "high"}], [{"error": True}], [{"error": float("nan")}]]
)
def test_a_worker_that_tells_of_no_error_gives_none(items: list[Any]) -> None:
    assert error_of(items) is None
    assert error_of([{"error": 0.5}, *items]) == 0.5


@given(ERRORS, st.floats(0, 1))
def test_a_quantile_is_numpys(errors: list[float], share: float) -> None:
    assert quantile(sorted(errors), share) == pytest.approx(float(np.quantile(errors, share)), rel=1e-9)


@given(ERRORS, st.floats(0.5, 1))
def test_the_share_that_was_asked_for_lies_below_the_threshold(errors: list[float], share: float) -> None:
    found = calibrate(errors, share)
    below = sum(error < found.threshold for error in errors)
    assert below == found.count - found.above
    assert below >= share * (found.count - 1)
    wanted = quantile(sorted(errors), share)
    assert wanted < found.threshold <= wanted * 1.0021


@given(ERRORS)
@example([0.0625])
@example([0.3])
def test_at_the_quantile_of_one_no_input_of_the_calibration_is_an_anomaly(errors: list[float]) -> None:
    assert calibrate(errors, 1.0).above == 0


def test_errors_that_are_all_zero_suggest_nothing() -> None:
    assert calibrate([0.0, 0.0], 0.99).threshold == 0
