"""Change: what says nothing new is held back."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.filters import change
from agent.filters.change import Options
from agent.types import FrameInfo, Result
from tests.simulators.filtering import applied, item


def passes(one: change.Change, seconds: float, *items: dict[str, Any], **more: Any) -> bool:
    return applied(one, seconds, items, **more) is not None


def test_the_first_result_passes_and_then_what_differs() -> None:
    one = change.build(Options())
    assert passes(one, 0)
    assert not passes(one, 1)
    assert passes(one, 2, item(0.5))
    assert not passes(one, 3, item(0.6, size=0.3))
    assert passes(one, 4, item(0.5), item(0.6))
    assert passes(one, 5, item(0.5), item(0.6, label="dog"))
    assert not passes(one, 6, item(0.6, label="dog"), item(0.5))
    assert passes(one, 7, item(0.5))


def test_other_tracks_and_zones_are_a_difference() -> None:
    one = change.build(Options())
    assert passes(one, 0, item(0.5, track=1, zones=[]))
    assert passes(one, 1, item(0.5, track=2, zones=[]))
    assert passes(one, 2, item(0.5, track=2, zones=["yard"]))
    assert not passes(one, 3, item(0.6, track=2, zones=["yard"]))


def test_scores_boxes_and_values_count_from_a_limit_on_against_the_last_that_passed() -> None:
    one = change.build(Options(score=0.1, box=0.05, value=2))
    assert passes(one, 0, item(0.5, value=1.0))
    assert not passes(one, 1, item(0.54, value=2.9))
    assert passes(one, 2, item(0.56, value=1.0))
    assert passes(one, 3, {**item(0.56, value=1.0), "score": 0.7})
    assert passes(one, 4, {**item(0.56, value=3.5), "score": 0.7})


def test_items_without_a_label_are_compared_whole() -> None:
    one = change.build(Options())
    assert passes(one, 0, {"name": "out", "max": 3})
    assert not passes(one, 1, {"max": 3, "name": "out"})
    assert passes(one, 2, {"name": "out", "max": 4})


def test_further_models_of_the_frame_count_too() -> None:
    one = change.build(Options())
    frame = FrameInfo(0, 10**9, 480, 640)
    for name, wanted in (("ann", True), ("ann", False), ("bob", True)):
        also = {"faces": {"kind": "embedding", "items": [{"label": name, "index": 0, "score": 0.5}]}}
        assert (one.apply(Result("detection", (), (), also), frame) is not None) == wanted


def test_a_result_with_events_passes_always() -> None:
    one = change.build(Options())
    assert passes(one, 0)
    assert passes(one, 1, events=[{"event": "line.crossed"}])


def test_after_so_long_a_result_passes_anyway() -> None:
    one = change.build(Options(every_s=10))
    assert [at for at in range(25) if passes(one, at, item(0.5))] == [0, 10, 20]
    never = change.build(Options(every_s=0))
    assert [at for at in range(0, 10_000, 1000) if passes(never, at)] == [0]


@settings(max_examples=100)
@given(
    every_s=st.sampled_from([0, 1, 5]),
    stream=st.lists(st.tuples(st.integers(0, 4), st.lists(st.sampled_from("ab"), max_size=3)), max_size=30),
)
def test_neighbours_that_pass_differ_or_are_far_enough_apart(every_s: int, stream: Any) -> None:
    one, now, last, passed_at = change.build(Options(every_s=every_s)), 100, None, 0
    for later, labels in stream:
        now += later
        found = passes(one, now, *[item(0.5, label=label) for label in labels])
        due = bool(every_s) and now - passed_at >= every_s
        assert found == (last is None or sorted(labels) != last or due)
        if found:
            last, passed_at = sorted(labels), now
