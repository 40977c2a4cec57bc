"""Zones: who is in which, who comes and who goes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.filters import zones
from agent.filters._places import inside
from agent.filters.zones import Options, Zones
from tests.simulators.filtering import events, going_on, item

LEFT = {"name": "left", "points": [[0.0, 0.0], [0.5, 0.0], [0.5, 1.0], [0.0, 1.0]]}
RIGHT = {"name": "right", "points": [[0.5, 0.0], [1.0, 0.0], [1.0, 1.0], [0.5, 1.0]]}
CENTRE = {"name": "centre", "points": [[0.4, 0.4], [0.6, 0.4], [0.6, 0.6], [0.4, 0.6]]}


def build(**options: Any) -> Zones:
    return zones.build(Options(**{"zones": [LEFT, RIGHT, CENTRE], "settle_s": 0, **options}))


def found(one: Zones, *items: dict[str, Any]) -> list[Any]:
    return [i.get("zones") for i in going_on(one, 0, items).items]


def test_an_item_is_in_every_zone_that_its_point_lies_in() -> None:
    assert found(build(at="centre"), item(0.2), item(0.45), item(0.7)) == [
        ["left"],
        ["left", "centre"],
        ["right"],
    ]
    assert found(build(), item(0.45, 0.58), item(0.45, 0.38)) == [["left"], ["left", "centre"]]


def test_items_without_a_box_are_in_none_and_pass() -> None:
    plain = {"label": "rain", "index": 0, "score": 1.0}
    assert found(build(only=True), plain) == [None]


def test_items_of_other_labels_and_outside_can_be_left_out() -> None:
    one = build(zones=[LEFT], labels=["person"], only=True)
    assert found(one, item(0.2), item(0.2, label="dog"), item(0.7)) == [["left"]]


def test_a_polygon_may_have_dents() -> None:
    dented = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.5), (0.0, 1.0)]
    points = np.array([[0.5, 0.25], [0.5, 0.75], [0.1, 0.8], [0.9, 0.8], [1.5, 0.25]])
    assert inside(points, np.array(dented)).tolist() == [True, False, True, True, False]


def test_a_track_that_comes_and_goes_is_told_once_each_with_how_long_it_stayed() -> None:
    one = build(zones=[LEFT])
    assert events(one, 0, [item(0.7, track=3)]) == []
    assert events(one, 1, [item(0.3, track=3)]) == [
        {"event": "zone.entered", "zone": "left", "label": "person", "track": 3}
    ]
    assert events(one, 2, [item(0.2, track=3)]) == []
    assert events(one, 3, [item(0.7, track=3)]) == [
        {"event": "zone.left", "zone": "left", "seconds": 2.0, "label": "person", "track": 3}
    ]


def test_nobody_enters_who_is_back_before_it_has_settled() -> None:
    one = build(zones=[LEFT], settle_s=1)
    assert events(one, 0, [item(0.3, track=1)]) == []
    assert events(one, 0.9, [item(0.7, track=1)]) == []
    assert events(one, 1.8, [item(0.3, track=1)]) == []
    assert [e["event"] for e in events(one, 2.8, [item(0.3, track=1)])] == ["zone.entered"]
    assert events(one, 3.0, [item(0.7, track=1)]) == []
    assert [(e["event"], e["seconds"]) for e in events(one, 4.0, [item(0.7, track=1)])] == [
        ("zone.left", 1.2)
    ]


def test_who_is_not_seen_any_more_has_left() -> None:
    one = build(zones=[LEFT], lost_s=2)
    events(one, 0, [item(0.3, track=1)])
    assert events(one, 2.0, []) == []
    assert [(e["event"], e["track"], e["label"]) for e in events(one, 2.1, [])] == [
        ("zone.left", 1, "person")
    ]


@settings(max_examples=60)
@given(
    settle_s=st.sampled_from([0.0, 0.3, 1.0]),
    stream=st.lists(
        st.tuples(st.floats(0, 3), st.dictionaries(st.integers(1, 3), st.floats(0, 1), max_size=3)),
        max_size=25,
    ),
)
def test_each_track_enters_and_leaves_each_zone_in_turns(settle_s: float, stream: Any) -> None:
    one, now, told = build(settle_s=settle_s), 0.0, dict[Any, str]()
    for later, places in stream:
        now += later
        for event in events(one, now, [item(x, track=track) for track, x in places.items()]):
            key = (event["track"], event["zone"])
            assert event["event"] != told.get(key, "zone.left")
            told[key] = event["event"]


def test_endless_new_tracks_take_no_more_memory_and_each_one_leaves() -> None:
    one, entered, left = build(zones=[LEFT], lost_s=600), 0, 0
    for at in range(300):
        made = [e["event"] for e in events(one, at / 100, [item(0.3, track=at * 10 + k) for k in range(10)])]
        entered, left = entered + made.count("zone.entered"), left + made.count("zone.left")
    assert (entered, left, len(one._visitors)) == (3000, 3000 - 1024, 1024)


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        ([], "at least 1"),
        ([LEFT, LEFT], "one name"),
        ([{**LEFT, "points": [[0, 0], [1, 1]]}], "at least 3"),
        ([{**LEFT, "points": [[0, 0], [0, 0.5], [0, 1]]}], "no area"),
        ([{**LEFT, "points": [[0, 0], [1, 0], [0, 1], [1, 1]]}], "once around it"),
        ([{**LEFT, "points": [[0.1, 0.1], [0.5, 0.5], [0.9, 0.9]]}], "no area"),
        ([{**LEFT, "points": [[0, 0], [0, 1.5], [1, 1]]}], "less than or equal to 1"),
        ([{**LEFT, "name": "Left Hand"}], "pattern"),
    ],
)
def test_zones_that_are_none_are_refused(told: Any, problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Options(zones=told)
