"""Windows from samples: against a plain reference, in whatever pieces the samples come."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.errors import InputRejected
from agent.sources.sampling.cutting import Resampling
from agent.sources.sampling.windows import Broken, Window, Windows

SECOND = 1_000_000_000
Found = list[Window | Broken]


def windows(channels: int = 1, **options: Any) -> Windows:
    told = Resampling(**{"rate": 10, "window": 4, **options})
    return Windows(told, told.rate, channels)


def feed(cutter: Windows, samples: list[tuple[int, list[float]]], pieces: int = 1) -> Found:
    found: Found = []
    for begin in range(0, len(samples), pieces):
        part = samples[begin : begin + pieces]
        times = np.array([at for at, _ in part], np.int64)
        found += cutter.add(times, np.array([value for _, value in part], np.float64))
    return found


def shown(found: Found) -> list[tuple[float, ...] | str]:
    return [tuple(one.data[:, 0].tolist()) if isinstance(one, Window) else one.reason for one in found]


def steady(count: int, rate: float = 10, start: int = 0) -> list[tuple[int, list[float]]]:
    return [(start + round(number * SECOND / rate), [float(number)]) for number in range(count)]


def reference(
    samples: list[tuple[int, list[float]]], rate: int, window: int, hop: int, longest_ns: int
) -> list[tuple[int, list[float]] | None]:
    """Say what comes out, one sample and one point at a time: (start, values), or None for a gap."""
    out: list[tuple[int, list[float]] | None] = []
    run: list[tuple[int, float]] = []
    points: list[float] = []
    given = 0
    for at, (value,) in samples:
        if run and not 0 <= at - run[-1][0] <= longest_ns:
            out.append(None)
            run, points, given = [], [], 0
        if run and at == run[-1][0]:
            continue
        run.append((at, value))
        while (due := len(points) * SECOND / rate) <= at - run[0][0]:
            if len(run) == 1:
                points.append(value)
                continue
            (was, low), (now, high) = run[-2], run[-1]
            share = (due - (was - run[0][0])) / (now - was)
            points.append(low + (high - low) * share)
        while given * hop + window <= len(points):
            start = given * hop
            out.append((run[0][0] + round(start * SECOND / rate), points[start : start + window]))
            given += 1
    return out


@given(
    st.lists(st.tuples(st.integers(-3, 40), st.floats(-100, 100, width=32)), min_size=1, max_size=80),
    st.integers(1, 6),
    st.integers(1, 9),
    st.integers(1, 7),
)
def test_windows_are_those_of_the_plain_reference_in_whatever_pieces_samples_come(
    moves: list[tuple[int, float]], window: int, hop: int, pieces: int
) -> None:
    at, samples = 0, []
    for step, value in moves:
        at += step * 12_500_000  # an eighth of a point at 10 a second: some lie on the grid, most do not
        samples.append((at, [value]))
    found = feed(windows(window=window, hop=hop, max_gap_s=0.3), samples, pieces)
    expected = reference(samples, 10, window, hop, 300_000_000)
    assert [isinstance(one, Window) for one in found] == [one is not None for one in expected]
    for mine, theirs in zip(found, expected, strict=True):
        if isinstance(mine, Window) and theirs is not None:
            assert mine.first_ns == theirs[0]
            np.testing.assert_allclose(mine.data[:, 0], theirs[1], rtol=1e-6, atol=1e-4)


@given(st.sampled_from([7.0, 44100.0, 48000.0, 31.25, 1 / 3]), st.integers(0, 1 << 60))
def test_samples_that_come_at_the_rate_are_given_as_they_are(rate: float, start: int) -> None:
    found = feed(windows(rate=rate, window=50), steady(100, rate, start), 7)
    assert [one.data[:, 0].tolist() for one in found if isinstance(one, Window)] == [
        pytest.approx(range(first, first + 50)) for first in (0, 50)
    ]


def test_a_window_tells_when_its_first_and_last_sample_were() -> None:
    first, second = feed(windows(hop=2), steady(6, start=5 * SECOND))
    assert isinstance(first, Window)
    assert isinstance(second, Window)
    assert (first.first_ns, first.last_ns) == (5 * SECOND, 5 * SECOND + 300_000_000)
    assert second.first_ns == 5 * SECOND + 200_000_000


def test_a_gap_breaks_the_window_and_the_next_sample_begins_another() -> None:
    found = feed(windows(), [*steady(6), *steady(4, start=2 * SECOND)], 3)
    assert shown(found) == [(0, 1, 2, 3), "no sample for 1.5 s", (0, 1, 2, 3)]


def test_one_missing_sample_is_bridged_and_two_are_a_gap() -> None:
    one, two = steady(9), steady(9)
    del one[2], two[2:4]
    assert shown(feed(windows(), one)) == [(0, 1, 2, 3), (4, 5, 6, 7)]
    assert shown(feed(windows(), two)) == ["no sample for 0.3 s", (4, 5, 6, 7)]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("pieces", [1, 4, 99])
def test_a_number_that_is_not_finite_is_in_no_window(value: float, pieces: int) -> None:
    samples = steady(12)
    samples[5] = (samples[5][0], [value])
    samples[6] = (samples[6][0], [value])
    expected = [(0, 1, 2, 3), "a sample holds a number that is not finite", (7, 8, 9, 10)]
    assert shown(feed(windows(), samples, pieces)) == expected


def test_a_clock_that_goes_back_breaks_the_window() -> None:
    found = feed(windows(), [*steady(6, start=SECOND), *steady(4)])
    assert shown(found) == [(0, 1, 2, 3), "the samples' time went back by 1.5 s", (0, 1, 2, 3)]


def test_what_is_cut_twice_in_a_row_is_told_once() -> None:
    cutter = windows()
    assert cutter.cut("line 1") == [Broken("line 1")]
    assert cutter.cut("line 2") == []
    feed(cutter, steady(1))
    assert cutter.cut("line 4") == [Broken("line 4")]


def test_each_channel_is_normalised_by_its_own_numbers() -> None:
    cutter = windows(2, mean=(1, 10), std=(2, 5))
    (found,) = feed(cutter, [(round(n * SECOND / 10), [n, 10.0 * n]) for n in range(4)])
    assert isinstance(found, Window)
    assert found.data.dtype == np.float32
    assert found.data.tolist() == [[-0.5, -2], [0, 0], [0.5, 2], [1, 4]]


def test_numbers_for_other_channels_are_refused() -> None:
    with pytest.raises(InputRejected, match="mean has 2 numbers, and a sample has 3 channels"):
        windows(3, mean=(1, 2))


def test_a_gap_that_would_make_too_many_samples_is_refused() -> None:
    with pytest.raises(ValidationError, match="more than 16384 samples of one gap"):
        Resampling(rate=1000, window=4, max_gap_s=17)


def test_numbers_that_float32_does_not_hold_are_infinite_in_the_window_without_a_warning() -> None:
    [made] = feed(windows(window=2), [(0, [1e308]), (SECOND // 10, [-1e308])])
    assert shown([made]) == [(float("inf"), float("-inf"))]
