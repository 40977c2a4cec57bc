"""Filters that need what others before them give are refused without them."""

from __future__ import annotations

from typing import Any

import pytest

from agent.errors import ConfigInvalid
from agent.pipelines import Plugin
from agent.workers.chaining import check_order

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
