"""Lines: who crosses, in which direction, and how many so far."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from agent.filters import lines
from agent.filters.lines import Lines, Options
from tests.simulators.filtering import events, item

DOWN = {"name": "gate", "points": [[0.5, 0.2], [0.5, 0.8]]}


def build(**options: Any) -> Lines:
    return lines.build(Options(**{"lines": [DOWN], "at": "centre", **options}))


def crossed(one: Lines, way: list[tuple[float, float]], track: int = 1) -> list[str]:
    made = [events(one, at / 10, [item(x, y, track=track)]) for at, (x, y) in enumerate(way)]
    return [event["direction"] for found in made for event in found]


def test_who_crosses_from_left_to_right_as_seen_along_the_line_goes_in() -> None:
    one = build(lines=[{"name": "step", "points": [[0.0, 0.5], [1.0, 0.5]]}])
    events(one, 0, [item(0.5, 0.3, track=7)])
    assert events(one, 0.1, [item(0.5, 0.7, track=7)]) == [
        {
            "event": "line.crossed",
            "line": "step",
            "direction": "in",
            "counts": {"in": 1, "out": 0},
            "label": "person",
            "track": 7,
        }
    ]
    [back] = events(one, 0.2, [item(0.5, 0.3, track=7)])
    assert (back["direction"], back["counts"]) == ("out", {"in": 1, "out": 1})


def test_a_line_that_is_turned_round_counts_the_other_way() -> None:
    way = [(0.3, 0.5), (0.7, 0.5)]
    assert crossed(build(), way) == ["out"]
    assert crossed(build(lines=[{**DOWN, "points": DOWN["points"][::-1]}]), way) == ["in"]


def test_the_way_round_the_end_of_a_line_is_no_crossing() -> None:
    assert crossed(build(), [(0.3, 0.9), (0.7, 0.9), (0.7, 0.5)]) == []
    assert crossed(build(), [(0.3, 0.1), (0.7, 0.1)]) == []


def test_a_box_that_trembles_on_the_line_crosses_it_once() -> None:
    tremble = [(0.5 + 0.008 * (-1) ** at, 0.5) for at in range(10)]
    assert crossed(build(), [(0.3, 0.5), *tremble, (0.7, 0.5)]) == ["out"]
    assert len(crossed(build(margin=0), [(0.3, 0.5), *tremble, (0.7, 0.5)])) > 5


def test_items_without_a_track_and_those_of_other_labels_do_not_count() -> None:
    one = build(labels=["dog"])
    assert crossed(one, [(0.3, 0.5), (0.7, 0.5)]) == []
    assert events(one, 1, [item(0.3, label="dog")]) == events(one, 2, [item(0.7, label="dog")]) == []


def test_a_track_that_was_away_for_long_begins_anew() -> None:
    one = build(lost_s=1)
    events(one, 0, [item(0.3, track=1)])
    events(one, 1.1, [])
    assert events(one, 1.2, [item(0.7, track=1)]) == []


def test_every_line_counts_on_its_own() -> None:
    one = build(lines=[DOWN, {"name": "other", "points": [[0.6, 1.0], [0.6, 0.0]]}])
    events(one, 0, [item(0.3, track=1)])
    found = events(one, 1, [item(0.7, track=1)])
    assert [(e["line"], e["counts"]) for e in found] == [
        ("gate", {"in": 0, "out": 1}),
        ("other", {"in": 1, "out": 0}),
    ]


@settings(max_examples=100)
@given(
    ways=st.dictionaries(st.integers(1, 3), st.lists(st.floats(0, 1), min_size=2, max_size=20), min_size=1)
)
def test_there_are_as_many_crossings_as_changes_of_side(ways: dict[int, list[float]]) -> None:
    one, found = build(lines=[{"name": "gate", "points": [[0.5, 0.0], [0.5, 1.0]]}], margin=0), []
    for at in range(20):
        items = [item(way[at], track=track) for track, way in ways.items() if at < len(way)]
        found += events(one, at / 100, items)
    changes = 0
    for way in ways.values():
        middles = [(item(x)["box"][1] + item(x)["box"][3]) / 2 for x in way]
        changes += sum(a != b for a, b in pairwise(x > 0.5 for x in middles if x != 0.5))
    assert len(found) == changes
    last = found[-1]["counts"] if found else {"in": 0, "out": 0}
    assert last == {way: sum(e["direction"] == way for e in found) for way in ("in", "out")}


def test_endless_new_tracks_take_no_more_memory() -> None:
    one = build(lost_s=600)
    for at in range(300):
        events(one, at / 100, [item(0.3, track=at * 10 + k) for k in range(10)])
    assert len(one._seen) == 1024


@pytest.mark.parametrize(
    ("told", "problem"),
    [([DOWN, DOWN], "one name"), ([{**DOWN, "points": [[0.5, 0.5]] * 2}], "no length"), ([], "at least 1")],
)
def test_lines_that_are_none_are_refused(told: Any, problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Options(lines=told)
