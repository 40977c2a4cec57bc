"""Which rows are red, and which of them come first."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.fleet.looking import table
from agent.fleet.looking.facts import Facts, Pipeline, Trouble
from agent.fleet.looking.judging import REASONS, Limits, judge, spoken

NOW = 10_000.0
WELL = Facts("gate-1", online=True, at=9_990, synced=True, temperature_c=50.0, backlog=3, oldest_s=5)
RED: list[tuple[dict[str, Any], str, str]] = [
    ({"online": None, "at": 0}, "unknown", "nothing is heard of it"),
    ({"online": False}, "offline", "offline"),
    ({"unproved": "up/vitals: it is not signed"}, "unproved", "up/vitals: it is not signed"),
    ({"at": 9_000}, "stale", "said nothing for 17 min"),
    ({"pipelines": (Pipeline("door", "backoff"),)}, "problem", "door: backoff"),
    ({"pipelines": (Pipeline("door", "running", problem="no camera"),)}, "problem", "door: no camera"),
    ({"problem": "a desired state is not signed"}, "problem", "a desired state is not signed"),
    ({"troubles": (Trouble("door", "rejected", "golden 3"),)}, "rejected", "door: rejected golden 3"),
    ({"troubles": (Trouble("door", "proving", overdue=True),)}, "overdue", "door: overdue"),
    ({"temperature_c": 80.0}, "hot", "80 °C"),
    ({"oldest_s": 7200}, "backlog", "the oldest record waits for 2 h"),
    ({"metadata_until": 9_999}, "metadata", "its update metadata has expired: edgectl resign"),
    ({"metadata_until": 269_200}, "metadata", "its update metadata expires in 3 d: edgectl resign"),
    ({"certificate_until": 9_999}, "certificate", "its certificate has ended: edgectl renew"),
    ({"certificate_until": 874_000}, "certificate", "its certificate ends in 10 d: edgectl renew"),
]


@pytest.mark.parametrize(("change", "reason", "words"), RED)
def test_each_reason_makes_a_row_red_and_is_told(change: dict[str, Any], reason: str, words: str) -> None:
    assert judge(WELL, Limits(), NOW) == {}
    assert judge(replace(WELL, **change), Limits(), NOW) == {reason: words}


def test_all_reasons_are_tried() -> None:
    assert {reason for _, reason, _ in RED} == set(REASONS)


def test_a_clock_that_was_never_set_tells_no_age_and_a_limit_of_ones_own_counts() -> None:
    assert judge(replace(WELL, at=1, synced=False), Limits(), NOW) == {}
    assert judge(WELL, Limits(stale_s=5), NOW) == {"stale": "said nothing for 10 s"}
    assert judge(replace(WELL, at=20_000), Limits(), NOW) == {}


@given(st.lists(st.sampled_from(range(len(RED) + 1)), max_size=6))
def test_red_rows_come_first_the_most_urgent_of_them_above(picked: list[int]) -> None:
    found = [
        replace(WELL, device=f"d{n}", **(RED[which][0] if which < len(RED) else {}))
        for n, which in enumerate(picked)
    ]
    judged = table.ordered(found, Limits(), NOW)
    urgency = [min((REASONS.index(one) for one in red), default=99) for _, red in judged]
    assert urgency == sorted(urgency)
    assert len(judged) == len(found)


def test_a_line_is_no_wider_than_the_terminal_and_red_where_it_must_be() -> None:
    bad = replace(WELL, device="roof-1", online=False, problem="x" * 150)
    judged = table.ordered([WELL, bad], Limits(), NOW)
    lines = table.table(judged, NOW, width=60, color=True)
    assert [line.startswith("\x1b[31m") for line in lines] == [False, True, False]
    assert all(len(line.removeprefix("\x1b[31m").removesuffix("\x1b[0m")) <= 60 for line in lines)
    assert table.summary(judged) == "2 devices: 1 online, 1 red (1 offline, 1 problem)"


@pytest.mark.parametrize(
    ("seconds", "said"), [(0, "0 s"), (119, "119 s"), (600, "10 min"), (7200, "2 h"), (200_000, "2 d")]
)
def test_spans_of_time_are_told_in_their_largest_unit(seconds: float, said: str) -> None:
    assert spoken(seconds) == said
