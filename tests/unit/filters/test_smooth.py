"""Posterior smoothing: means over the last results, and each word heard once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.filters import smooth
from agent.types import FrameInfo, Result

STEP_NS = 250_000_000
INDEX = {"yes": 2, "no": 3}


def result(**scores: float) -> Result:
    items = tuple({"label": label, "index": INDEX[label], "score": score} for label, score in scores.items())
    return Result("keywords", items)


def frame(at: float) -> FrameInfo:
    return FrameInfo(seq=0, captured_ns=int(at * STEP_NS), height=16000, width=1)


def heard(results: list[Result], step: float = 1, **options: Any) -> list[tuple[int, str, float]]:
    """Give the events of results that come one after the other: which result's, which label, which score."""
    filtered = smooth.build(smooth.Options(**options))
    found = []
    for number, one in enumerate(results):
        passed = filtered.apply(one, frame(number * step))
        assert passed.kind == one.kind
        for event in passed.events:
            assert event.keys() == {"event", "label", "score"}
            assert event["event"] == "keyword.heard"
            found.append((number, event["label"], event["score"]))
    return found


def test_one_window_alone_is_not_believed() -> None:
    assert heard([result(), result(), result(yes=1.0), result(), result()]) == []


def test_a_word_in_several_windows_is_heard_once_with_its_mean() -> None:
    found = heard([result(yes=0.9), result(yes=0.7), result(yes=0.5), result(yes=0.9), result()])
    assert found == [(2, "yes", 0.7)]


def test_items_are_the_means_that_are_high_enough_the_best_first() -> None:
    filtered = smooth.build(smooth.Options(windows=2, min_score=0.2))
    filtered.apply(result(yes=0.5, no=0.9), frame(0))
    passed = filtered.apply(result(no=0.1), frame(1))
    assert passed.items == (
        {"label": "no", "index": 3, "score": 0.5},
        {"label": "yes", "index": 2, "score": 0.25},
    )


def test_nothing_is_heard_before_there_are_enough_results() -> None:
    assert heard([result(yes=1.0)] * 2) == []
    assert heard([result(yes=1.0)] * 3) == [(2, "yes", 1.0)]


def test_a_word_that_goes_on_is_heard_again_after_the_pause_and_not_before() -> None:
    found = heard([result(yes=1.0)] * 14, suppress_s=1.5)
    assert [number for number, *_ in found] == [2, 8]
    assert [number for number, *_ in heard([result(yes=1.0)] * 5, suppress_s=0)] == [2, 3, 4]


def test_the_pause_is_as_long_as_it_says() -> None:
    found = heard([result(yes=1.0)] * 50, step=0.1, suppress_s=1.0)
    assert [number for number, *_ in found] == [2, 42]


def test_another_word_is_heard_in_that_pause() -> None:
    found = heard([result(yes=1.0)] * 3 + [result(no=1.0)] * 3)
    assert [label for _, label, _ in found] == ["yes", "no"]


def test_a_gap_begins_anew() -> None:
    assert heard([result(yes=1.0)] * 3, step=21, max_gap_s=5) == []
    assert len(heard([result(yes=1.0)] * 3, step=19, max_gap_s=5)) == 1


def test_of_several_boxes_of_one_label_the_best_counts() -> None:
    two = Result("detection", (*result(yes=0.4).items, *result(yes=0.8).items, {"label": "x"}))
    assert heard([two], windows=1) == [(0, "yes", 0.8)]


def test_events_of_filters_before_it_stay() -> None:
    before = Result("keywords", result(yes=1.0).items, events=({"event": "other"},))
    passed = smooth.build(smooth.Options(windows=1)).apply(before, frame(0))
    assert [event["event"] for event in passed.events] == ["other", "keyword.heard"]


SCORES = st.dictionaries(st.sampled_from(["yes", "no"]), st.floats(0, 1), max_size=2)


@given(st.lists(st.tuples(SCORES, st.floats(0, 4)), max_size=30), st.integers(1, 4), st.floats(0, 3))
def test_any_stream_is_smoothed_as_the_definition_says(
    stream: list[tuple[dict[str, float], float]], windows: int, pause: float
) -> None:
    filtered = smooth.build(smooth.Options(windows=windows, min_score=0.5, suppress_s=pause, max_gap_s=3600))
    at = 0.0
    last: dict[str, int] = {}
    for number, (scores, step) in enumerate(stream):
        at += step
        info = frame(at)
        passed = filtered.apply(result(**scores), info)
        seen = [one for one, _ in stream[max(0, number + 1 - windows) : number + 1]]
        means = {label: sum(one.get(label, 0) for one in seen) / windows for label in INDEX}
        assert all(0 <= item["score"] <= 1 for item in passed.items)
        for item in passed.items:
            assert item["score"] == pytest.approx(means[item["label"]], abs=1e-6)
        assert len(passed.items) == 0 or len(seen) == windows
        for event in passed.events:
            assert event["score"] >= 0.5
            before = last.get(event["label"])
            assert before is None or info.captured_ns - before >= pause * 1e9
            last[event["label"]] = info.captured_ns
