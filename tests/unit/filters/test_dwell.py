"""Dwell: who stays for long."""

from __future__ import annotations

from agent.filters import dwell
from agent.filters.dwell import Options
from tests.simulators.filtering import events, item


def test_who_stays_for_so_long_is_told_once() -> None:
    one = dwell.build(Options(after_s=5))
    assert events(one, 0, [item(0.5, track=4)]) == []
    assert events(one, 2, [item(0.5, track=4)]) == events(one, 4, [item(0.5, track=4)]) == []
    assert events(one, 5, [item(0.5, track=4)]) == [
        {"event": "zone.dwelt", "seconds": 5.0, "label": "person", "track": 4}
    ]
    assert events(one, 6, [item(0.5, track=4)]) == events(one, 7, [item(0.5, track=4)]) == []


def test_it_is_told_again_where_that_is_wanted() -> None:
    one = dwell.build(Options(after_s=2, repeat_s=3, lost_s=5))
    told = [at for at in range(10) if events(one, at, [item(0.5, track=1)])]
    assert told == [2, 5, 8]


def test_a_zone_is_dwelt_in_by_who_is_in_it_and_short_trips_do_not_count() -> None:
    one = dwell.build(Options(zones=("yard",), after_s=4, lost_s=2))
    inside, outside = item(0.5, track=1, zones=["yard", "street"]), item(0.5, track=1, zones=["street"])
    for at, where in enumerate([inside, outside, inside, inside]):
        assert events(one, at, [where]) == []
    [told] = events(one, 4, [inside])
    assert (told["zone"], told["seconds"]) == ("yard", 4.0)


def test_who_was_away_for_longer_begins_anew() -> None:
    one = dwell.build(Options(after_s=4, lost_s=1))
    events(one, 0, [item(0.5, track=1)])
    assert [at for at in range(3, 9) if events(one, at, [item(0.5, track=1)])] == [7]


def test_items_without_a_track_and_of_other_labels_do_not_dwell() -> None:
    one = dwell.build(Options(after_s=0, labels=("dog",)))
    assert events(one, 0, [item(0.5), item(0.5, track=1), item(0.5, label="dog")]) == []


def test_endless_new_tracks_take_no_more_memory() -> None:
    one = dwell.build(Options(lost_s=600))
    for at in range(300):
        events(one, at / 100, [item(0.3, track=at * 10 + k) for k in range(10)])
    assert len(one._stays) <= 1024 + 10
