"""Filters that need what others before them give are refused without them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from agent.config.pipelines import Plugin
from agent.errors import ConfigInvalid
from agent.workers.chaining import _GIVES, check_order, unheard

YARD = {"kind": "zones", "zones": [{"name": "yard", "points": [[0, 0], [1, 0], [1, 1]]}]}
TRACK, LINES, DWELL = {"kind": "track"}, {"kind": "lines"}, {"kind": "dwell"}
DWELL_IN_YARD = {"kind": "dwell", "zones": ["yard"]}
COUNT_IN_YARD = {"kind": "count", "zones": ["yard"]}


def check(*filters: dict[str, Any], task: str = "detection") -> None:
    check_order([Plugin.model_validate(one) for one in filters], task)


@pytest.mark.parametrize(
    ("filters", "where", "says"),
    [
        ([LINES], (0, "kind"), 'Put the filter "track" before it'),
        ([DWELL, TRACK], (0, "kind"), 'Put the filter "track" before it'),
        ([YARD, LINES], (1, "kind"), 'Put the filter "track" before it'),
        ([COUNT_IN_YARD, YARD], (0, "zones"), 'Put a filter "zones" that has it before it'),
        ([TRACK, YARD, {"kind": "dwell", "zones": ["yrad"]}], (2, "zones"), "Name one of: yard"),
    ],
)
def test_a_filter_without_what_it_needs_is_refused_and_the_next_step_is_named(
    filters: list[dict[str, Any]], where: tuple[int, str], says: str
) -> None:
    with pytest.raises(ConfigInvalid) as caught:
        check(*filters)
    assert caught.value.loc == ("filters", *where)
    assert says in str(caught.value)


def test_a_chain_in_which_each_has_what_it_needs_is_none_of_its_business() -> None:
    check(TRACK, YARD, LINES, DWELL, DWELL_IN_YARD, COUNT_IN_YARD)
    check(YARD, COUNT_IN_YARD)


def test_what_another_distribution_gives_is_not_known_and_not_refused() -> None:
    check({"kind": "my-tracker"}, LINES, DWELL_IN_YARD)
    check(LINES, task="my-tracking-model")


def named(*filters: dict[str, Any], task: str = "detection") -> list[str]:
    plugins = [Plugin.model_validate(one) for one in filters]
    return unheard(plugins, task, ["line.crosed", "line.crossed", "zone.entered", "*"])


def test_events_that_nothing_gives_are_named() -> None:
    assert named() == ["line.crosed", "line.crossed", "zone.entered"]
    assert named(TRACK, LINES) == ["line.crosed", "zone.entered"]
    assert named(YARD, TRACK, LINES) == ["line.crosed", "zone.entered"]  # no track comes before the zones
    assert named(TRACK, YARD, LINES) == ["line.crosed"]


def test_events_of_another_distribution_are_not_known_and_none_is_missed() -> None:
    assert named({"kind": "my-filter"}) == []
    assert named(task="my-decoder") == []


def test_each_filter_that_adds_events_is_known_with_all_of_them() -> None:
    page = Path("docs/filters.md").read_text(encoding="utf-8")
    table = page.split("## Events", 1)[1].split("## Time", 1)[0]
    told = set(re.findall(r"^\| `([a-z.]+)`", table, re.MULTILINE)) - {"result.shortened"}
    ours = {event for kind in _GIVES for event in _GIVES[kind]}
    assert ours == told
