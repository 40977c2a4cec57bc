"""The maintenance window, by the clock that there is."""

from __future__ import annotations

from datetime import UTC, datetime

from agent.documents.desired import Maintenance as Terms
from agent.maintenance import Maintenance
from agent.schedules import Window
from tests.simulators.clocks import ManualClock

NIGHT = Terms(windows=(Window(begin="22:00", end="04:00"),), zone="UTC")


def at(hour: int, terms: Terms | None = NIGHT, year: int = 2026) -> Maintenance:
    clock = ManualClock()
    clock.wall = int(datetime(year, 11, 26, hour, tzinfo=UTC).timestamp() * 1e9)
    found = Maintenance(clock)
    found.set(terms)
    return found


def test_without_a_window_it_is_any_time() -> None:
    assert (at(12, None).word, at(12, None).open, at(12, None).waits) == ("any", True, "")


def test_it_is_open_in_its_window_and_closed_outside() -> None:
    assert [at(hour).word for hour in (23, 3, 4, 12)] == ["open", "open", "closed", "closed"]
    assert (at(12).open, at(12).waits) == (False, "it waits for the maintenance window")


def test_nobody_knows_while_the_clock_was_never_set_or_the_zone_is_unknown() -> None:
    assert (at(23, year=1970).open, at(23, year=1970).waits) == (None, "the clock was never set")
    odd = at(23, Terms(windows=NIGHT.windows, zone="Moon/Crater"))
    assert (odd.word, odd.open) == ("unknown", None)
    assert "Moon/Crater" in odd.waits
