"""What proved metadata says of the time is kept over restarts, and judged by the later of two clocks."""

from __future__ import annotations

import pytest

from agent.activation.freshness import NAME, Freshness
from agent.slots import Kept
from agent.updater.messages import Refreshed

ISSUED, EXPIRES = 1_800_000_000, 1_800_001_000
SEEN = Refreshed(
    floors={"clock": ISSUED - 5, "tuf/clock/abc": ISSUED, "tuf/timestamp/abc": 7},
    root=1,
    timestamp=7,
    expires=EXPIRES,
)


@pytest.mark.parametrize(
    ("wall", "expired"), [(0, False), (EXPIRES - 1, False), (EXPIRES, True), (EXPIRES + 1, True)]
)
def test_it_is_over_by_the_wall_clock_and_a_clock_that_runs_behind_is_not_asked(
    wall: int, *, expired: bool
) -> None:
    fresh = Freshness(Kept())
    change = fresh.refreshed(SEEN, "north")
    assert change is not None
    assert dict(change.floors) == dict(SEEN.floors)
    for one in (fresh, Freshness(Kept(documents=change.documents))):
        assert one.floor_s == ISSUED
        assert one.expired(wall) is expired


def test_before_any_was_seen_it_counts_as_over() -> None:
    assert Freshness(Kept()).expired(0)
    assert Freshness(Kept(documents={NAME: b"damaged"})).expired(0)


def test_what_is_no_news_is_not_written_again() -> None:
    fresh = Freshness(Kept())
    assert fresh.refreshed(SEEN, "north")
    assert fresh.refreshed(SEEN, "north") is None


def test_a_later_root_may_take_back_a_time_that_a_thief_has_signed() -> None:
    fresh = Freshness(Kept())
    fresh.refreshed(SEEN.model_copy(update={"floors": {"tuf/clock/thief": ISSUED + 10**9}}), "north")
    change = fresh.refreshed(
        SEEN.model_copy(update={"root": 2, "floors": {**SEEN.floors, "tuf/root": 2}}), "north"
    )
    assert fresh.floor_s == ISSUED
    assert change is not None
    assert [note.kind for note in change.notes] == ["root.changed"]
