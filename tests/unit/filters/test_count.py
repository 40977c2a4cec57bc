"""Count: how many there are, once that has settled."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agent.filters import count
from agent.filters.count import Options
from tests.simulators.filtering import events, item


def people(number: int, **more: Any) -> list[dict[str, Any]]:
    return [item(0.1 + 0.1 * k, **more) for k in range(number)]


def test_a_number_is_told_once_it_has_held() -> None:
    one = count.build(Options(hold_s=1))
    assert events(one, 0, people(2)) == events(one, 0.9, people(2)) == []
    assert events(one, 1, people(2)) == [
        {"event": "count.changed", "label": "person", "count": 2, "before": 0}
    ]
    assert events(one, 2, people(3)) == events(one, 2.5, people(2)) == events(one, 4, people(2)) == []
    assert events(one, 5, []) == []
    assert events(one, 6, []) == [{"event": "count.changed", "label": "person", "count": 0, "before": 2}]


def test_a_number_that_is_waited_for_is_told_when_it_is_reached_from_below() -> None:
    one = count.build(Options(hold_s=0, at_least=3))
    told = [[e["event"] for e in events(one, at, people(n))] for at, n in enumerate([2, 4, 5, 3, 1, 3])]
    reached = [at for at, names in enumerate(told) if "count.reached" in names]
    assert reached == [1, 5]
    assert all("count.changed" in names for names in told)


def test_labels_count_on_their_own_or_together() -> None:
    both = [*people(2), item(0.5, label="dog")]
    told = events(count.build(Options(hold_s=0)), 0, both)
    assert [(e["label"], e["count"]) for e in told] == [("dog", 1), ("person", 2)]
    assert events(count.build(Options(hold_s=0, together=True)), 0, both) == [
        {"event": "count.changed", "count": 3, "before": 0}
    ]
    assert [e["label"] for e in events(count.build(Options(hold_s=0, labels=("dog",))), 0, both)] == ["dog"]


def test_zones_count_on_their_own() -> None:
    one = count.build(Options(hold_s=0, zones=("yard", "street")))
    told = events(one, 0, [*people(2, zones=["yard", "hall"]), *people(1, zones=["yard", "street"])])
    assert [(e["zone"], e["count"]) for e in told] == [("street", 1), ("yard", 3)]


@given(numbers=st.lists(st.integers(0, 4), max_size=20))
def test_each_change_goes_on_from_the_number_before(numbers: list[int]) -> None:
    one, last = count.build(Options(hold_s=0.5)), 0
    for at, number in enumerate(numbers):
        for event in events(one, at / 4, people(number)):
            assert event["before"] == last != event["count"]
            last = event["count"]


def test_endless_new_labels_take_no_more_memory() -> None:
    one = count.build(Options(hold_s=600))
    for at in range(300):
        events(one, at / 100, [item(0.5, label=f"{at}-{k}") for k in range(10)])
    assert len(one._numbers) <= 10
