"""Debounce: what flickers is not told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.filters import debounce
from agent.filters.debounce import Debounce, Options
from tests.simulators.filtering import applied, item


def told(one: Debounce, seconds: float, *items: dict[str, Any]) -> list[Any] | None:
    result = applied(one, seconds, items)
    return None if result is None else [i["label"] for i in result.items]


def test_an_item_is_told_once_it_was_in_so_many_of_the_last_results() -> None:
    one, cat = debounce.build(Options(seen=3, of=4)), item(0.5, label="cat")
    assert [told(one, 0, *there) for there in ([cat], [], [cat], [cat], [])] == [
        None,
        None,
        None,
        ["cat"],
        [],
    ]
    assert told(one, 1) is None


def test_an_item_is_told_once_it_came_so_long_ago() -> None:
    one, cat = debounce.build(Options(seen=1, of=2, for_s=2)), item(0.5, label="cat")
    assert [told(one, at, cat) for at in (0, 1, 2, 3)] == [None, None, ["cat"], ["cat"]]
    assert [told(one, 4), told(one, 5), told(one, 6, cat)] == [[], None, None]


def test_each_label_and_each_track_counts_on_its_own() -> None:
    one = debounce.build(Options(seen=2, of=2))
    told(one, 0, item(0.5, label="cat"), item(0.5, track=1))
    assert told(one, 1, item(0.5, label="cat"), item(0.5, label="dog"), item(0.5, track=2)) == ["cat"]


def test_items_with_neither_label_nor_track_pass() -> None:
    result = applied(debounce.build(Options()), 0, [{"value": 3.5}])
    assert result is not None
    assert result.items == ({"value": 3.5},)


def test_a_result_with_events_is_not_held_back() -> None:
    result = applied(debounce.build(Options()), 0, [item(0.5)], events=[{"event": "line.crossed"}])
    assert result is not None
    assert (result.items, len(result.events)) == ((), 1)


@given(stream=st.lists(st.booleans(), max_size=30), seen=st.integers(1, 5), more=st.integers(0, 3))
def test_it_is_told_exactly_where_it_was_seen_often_enough(stream: list[bool], seen: int, more: int) -> None:
    one = debounce.build(Options(seen=seen, of=seen + more))
    for at, there in enumerate(stream):
        result = told(one, at, *([item(0.5)] if there else []))
        often = sum(stream[max(0, at + 1 - seen - more) : at + 1]) >= seen
        assert bool(result) == (there and often)


def test_endless_new_tracks_take_no_more_memory() -> None:
    one = debounce.build(Options(of=64, seen=1))
    for at in range(100):
        told(one, at, *[item(0.5, track=at * 50 + k) for k in range(50)])
    assert len(one._pasts) == 1024


def test_more_than_all_results_cannot_be_asked_for() -> None:
    with pytest.raises(ValidationError, match="seen is at most of"):
        Options(seen=4, of=3)
