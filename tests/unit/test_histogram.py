from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import MessageInvalid
from agent.histogram import LONGEST_US, MOST_BUCKETS, SHARES, Histogram, Rolling, bucket_of, middle_of

DURATIONS_US = st.lists(
    st.one_of(st.integers(0, 200), st.integers(0, 100_000), st.integers(0, LONGEST_US)), min_size=1
)
TRUE_TO = 1 / 64


def counted(durations_us: list[int]) -> Histogram:
    histogram = Histogram()
    for us in durations_us:
        histogram.add(us * 1000)
    return histogram


@given(st.integers(1, LONGEST_US))
def test_a_buckets_middle_is_within_one_part_in_64_of_what_it_holds(us: int) -> None:
    assert abs(middle_of(bucket_of(us)) - us) <= us * TRUE_TO


@given(st.integers(0, LONGEST_US - 1))
def test_buckets_are_in_the_order_of_what_they_hold_and_leave_nothing_out(us: int) -> None:
    assert bucket_of(us + 1) - bucket_of(us) in {0, 1}


@given(DURATIONS_US)
def test_percentiles_are_those_of_numpy(durations_us: list[int]) -> None:
    histogram = counted(durations_us)
    for share in (*SHARES.values(), 0.0, 1.0):
        right = float(np.percentile(durations_us, share * 100, method="inverted_cdf"))
        assert abs(histogram.percentile(share) * 1e6 - right) <= right * TRUE_TO + 1e-9


@given(DURATIONS_US, DURATIONS_US)
def test_merging_is_the_same_as_counting_all_in_one(ours: list[int], theirs: list[int]) -> None:
    merged = counted(ours)
    merged.merge(counted(theirs))
    together = counted(ours + theirs)
    assert merged.to_json() == together.to_json()
    assert merged.count == len(ours) + len(theirs)
    assert merged.to_json()["sum"] == pytest.approx(sum(ours + theirs) / 1e6)


@given(DURATIONS_US)
def test_what_was_written_is_read_again(durations_us: list[int]) -> None:
    written = counted(durations_us).to_json()
    assert Histogram.from_json(orjson.loads(orjson.dumps(written))).to_json() == written


@given(DURATIONS_US.flatmap(lambda known: st.tuples(st.just(known), st.integers(1, 20))))
def test_it_is_no_larger_than_its_buckets(case: tuple[list[int], int]) -> None:
    durations_us, times = case
    histogram = counted(durations_us * times)
    assert len(histogram.buckets) <= min(len(set(durations_us)), MOST_BUCKETS)


def test_what_is_out_of_range_counts_at_its_end() -> None:
    histogram = Histogram()
    histogram.add(-5)
    histogram.add(10**20)
    assert [histogram.percentile(0.0), histogram.percentile(1.0)] == pytest.approx([0, 1000], rel=TRUE_TO)
    assert MOST_BUCKETS < 832


def test_an_empty_one_has_no_durations() -> None:
    body = Histogram().to_json()
    assert body.pop("buckets") == []
    assert set(body.values()) == {0}


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"buckets": 5, "sum": 1, "max": 1},
        {"buckets": [[1, 2, 3]], "sum": 1, "max": 1},
        {"buckets": [[-1, 2]], "sum": 1, "max": 1},
        {"buckets": [[1, -2]], "sum": 1, "max": 1},
        {"buckets": [[1.5, 2]], "sum": 1, "max": 1},
        {"buckets": [[1, True]], "sum": 1, "max": 1},
        {"buckets": [[MOST_BUCKETS, 1]], "sum": 1, "max": 1},
        {"buckets": [[[], 1]], "sum": 1, "max": 1},
        {"buckets": [], "sum": float("inf"), "max": 1},
        {"buckets": [], "sum": float("nan"), "max": 1},
        {"buckets": [], "sum": 1, "max": 1001},
    ],
)
def test_what_is_no_histogram_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(MessageInvalid):
        Histogram.from_json(wrong)


def test_the_last_minute_forgets_and_what_was_taken_is_told_once() -> None:
    rolling = Rolling()
    for second in range(120):
        rolling.add(1000.0 + second, "infer", 0.001 if second < 60 else 0.1)
    [recent] = rolling.recent(1119).values()
    assert 50 <= recent.count <= 60
    assert rolling.recent_ms(1119)["infer"]["p50"] == pytest.approx(100, rel=TRUE_TO)
    assert rolling.take()["infer"].count == 120
    assert rolling.take() == {}
    assert rolling.recent(1300) == {}
