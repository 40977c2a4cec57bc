"""CLEAR MOT: what counts as a miss, a false alarm, a switch."""

from __future__ import annotations

import pytest

from models.clear_mot import Mot, Thing


def at(x: float, label: str = "square", *, difficult: bool = False) -> Thing:
    return Thing(label, (0.4, x, 0.6, x + 0.2), difficult)


def test_what_is_found_at_its_place_under_one_number_is_perfect() -> None:
    mot = Mot()
    for step in range(5):
        mot.frame({1: at(0.1 * step)}, {7: at(0.1 * step + 0.02)})
    assert (mot.objects, mot.matches, mot.misses, mot.alarms, mot.switches) == (5, 5, 0, 0, 0)
    assert mot.mota == 1


def test_what_is_not_found_is_missed_and_what_is_not_there_is_a_false_alarm() -> None:
    mot = Mot()
    mot.frame({1: at(0.1), 2: at(0.7)}, {7: at(0.1), 8: at(0.4), 9: at(0.7, "circle")})
    assert (mot.objects, mot.matches, mot.misses, mot.alarms) == (2, 1, 1, 2)
    assert mot.mota == pytest.approx(1 - 3 / 2)


def test_another_number_for_a_thing_is_a_switch_even_after_it_was_away() -> None:
    mot = Mot()
    mot.frame({1: at(0.1)}, {7: at(0.1)})
    mot.frame({1: at(0.1)}, {})
    mot.frame({1: at(0.1)}, {8: at(0.1)})
    mot.frame({1: at(0.1)}, {8: at(0.1)})
    assert (mot.misses, mot.switches) == (1, 1)


def test_the_same_number_after_a_time_away_is_none() -> None:
    mot = Mot()
    mot.frame({1: at(0.1)}, {7: at(0.1)})
    mot.frame({1: at(0.1)}, {})
    mot.frame({1: at(0.1)}, {7: at(0.1)})
    assert mot.switches == 0


def test_a_number_that_goes_over_to_another_thing_is_a_switch_of_that_one_when_it_had_a_number() -> None:
    mot = Mot()
    mot.frame({1: at(0.1), 2: at(0.6)}, {7: at(0.1), 8: at(0.6)})
    mot.frame({1: at(0.1), 2: at(0.6)}, {7: at(0.6)})
    mot.frame({1: at(0.55), 2: at(0.6)}, {7: at(0.6)})
    assert (mot.switches, mot.misses, mot.matches) == (1, 2, 4)


def test_a_pair_is_kept_as_long_as_it_overlaps_even_where_another_fits_better() -> None:
    mot = Mot()
    mot.frame({1: at(0.1)}, {7: at(0.1)})
    mot.frame({1: at(0.1)}, {7: at(0.15), 8: at(0.1)})
    assert (mot.switches, mot.alarms) == (0, 1)


def test_difficult_things_are_neither_demanded_nor_punished() -> None:
    mot = Mot()
    mot.frame({1: at(0.1, difficult=True), 2: at(0.7, difficult=True)}, {7: at(0.1)})
    assert (mot.objects, mot.matches, mot.misses, mot.alarms) == (0, 1, 0, 0)
