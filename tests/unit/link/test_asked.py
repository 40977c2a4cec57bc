"""What is asked for, and what becomes of it, whatever comes back in whichever order."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agent.link.asked import GRACE_S, MOST_FILTERS, Asked


def test_a_window_is_asked_for_and_then_halves_of_it() -> None:
    asked = Asked("abcdefgh", 4)
    assert asked.next() == ["a", "b", "c", "d"]
    assert asked.came("b")
    assert asked.next() == []
    assert asked.came("a")
    assert asked.next() == ["e", "f"]


def test_no_more_topics_are_asked_for_at_once_than_a_subscribe_may_hold() -> None:
    asked = Asked(map(str, range(40)), 16)
    assert len(asked.next()) == len(asked.next()) == MOST_FILTERS
    assert asked.next() == []


def test_what_comes_twice_or_was_not_asked_for_is_not_waited_for() -> None:
    asked = Asked("ab", 1)
    asked.next()
    assert not asked.came("b")
    assert asked.came("a")
    assert not asked.came("a")


def test_what_two_echoes_have_left_behind_is_missing() -> None:
    asked = Asked("ab", 2)
    asked.expect(1, asked.next())
    asked.echoed(1, 10.0)
    assert asked.due() == 10.0 + GRACE_S
    assert asked.late(10.0) == frozenset()
    assert asked.came("b")
    late = asked.late(10.0 + GRACE_S)
    assert late == {"a"}
    asked.expect(2, late, again=True)
    assert asked.missing == []
    asked.echoed(2, 10.3)
    assert (asked.missing, bool(asked)) == (["a"], False)


def test_what_an_echo_has_overtaken_may_still_come() -> None:
    asked = Asked("a", 1)
    asked.expect(1, asked.next())
    asked.echoed(1, 10.0)
    asked.expect(2, asked.late(11.0), again=True)
    assert asked.came("a")
    asked.echoed(2, 11.0)
    assert (asked.missing, bool(asked)) == ([], False)


def test_an_echo_that_nobody_has_sent_says_nothing() -> None:
    asked = Asked("a", 1)
    asked.expect(1, asked.next())
    asked.echoed(7, 0.0)
    assert (asked.waiting, asked.due()) == ({"a"}, None)


@given(st.data(), st.integers(1, 16), st.sets(st.integers(0, 40), max_size=40))
def test_each_topic_comes_once_or_is_missing_once(data: Any, window: int, there: set[int]) -> None:
    names = [str(number) for number in range(40)]
    asked, now, number, echoes = Asked(names, window), 0.0, 0, list[int]()
    came: list[str] = []
    while asked:
        now += GRACE_S
        for topics, again in ((asked.late(now), True), (asked.next(), False)):
            if topics:
                number += 1
                asked.expect(number, topics, again=again)
                echoes.append(number)
        assert len(asked.waiting) <= window
        kept = sorted(name for name in asked.waiting if int(name) in there)
        if kept and data.draw(st.booleans()):
            name = data.draw(st.sampled_from(kept))
            assert asked.came(name)
            came.append(name)
        elif echoes and not any(int(name) in there for name in asked.waiting):
            asked.echoed(echoes.pop(data.draw(st.integers(0, len(echoes) - 1))), now)
    assert sorted(came + asked.missing, key=int) == names
    assert {int(name) for name in came} == there & set(range(40))
