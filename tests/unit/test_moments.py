"""Points in time: one meaning, whoever reads them and wherever the machine stands."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import ConfigInvalid
from agent.moments import moment, spelled, written

if TYPE_CHECKING:
    from collections.abc import Iterator

NOON = 1_795_608_000 * 10**9
"""2026-11-25T12:00:00Z."""
MINUTE = 60 * 10**9


@pytest.fixture(autouse=True, params=["UTC", "America/New_York"])
def _zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("now", NOON),
        ("90s", NOON - 90 * 10**9),
        ("1.5h", NOON - 90 * MINUTE),
        (" 1D ", NOON - 1440 * MINUTE),
        ("2026-11-25T12:00", NOON),
        ("2026-11-25T13:00+01:00", NOON),
        ("2026-11-25 12:00:00.000007Z", NOON + 7000),
        ("2026-11-25", NOON - 720 * MINUTE),
    ],
)
def test_a_moment_is_read_as_people_write_it_and_in_utc_where_they_name_no_zone(text: str, ns: int) -> None:
    assert moment(text, NOON) == ns


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "2 h", "2h3", "-1h", "25:00", "2026-13-01", "99999999999d", "999999999w", "9999-01-01"],
)
def test_what_is_no_moment_is_told_with_how_to_write_one(text: str) -> None:
    with pytest.raises(ConfigInvalid, match=r"no moment in time\. Write 2026-11-25T02:00"):
        moment(text, NOON)


def test_a_moment_is_written_for_programs_and_for_people() -> None:
    assert written(NOON + 7_000_000) == "2026-11-25T12:00:00.007Z"
    assert spelled(NOON + 7_000_000) == "2026-11-25 12:00:00"
    assert (written(None), spelled(None)) == ("", "unknown")


@given(st.integers(-(2**63) + 10**6, 2**63 - 1))
def test_no_wall_time_is_too_odd_to_be_written_and_what_is_written_is_read_again(ns: int) -> None:
    text = written(ns)
    assert spelled(ns)
    assert not text or moment(text, 0) == ns // 10**6 * 10**6
