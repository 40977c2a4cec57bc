"""The last word of each device is kept, in whatever order and how often answers come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from agent.documents.outcome import Outcome
from agent.errors import ConfigInvalid, NotSigned
from agent.fleet.commanding import gathering
from agent.fleet.commanding.gathering import Gathering

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

NAMES = ("a", "b")
LAST = ("done", "failed", "refused")
ID, OTHER = "restart-0001", "restart-0002"
ANSWERS = st.tuples(
    st.sampled_from((*NAMES, "stranger")),
    st.sampled_from(("accepted", *LAST, "forged")),
    st.sampled_from((ID, OTHER)),
)


def reading(device: str, state: str, identity: str = ID) -> Callable[[], Outcome]:
    def read() -> Outcome:
        if state == "forged":
            raise NotSigned("verify", "outcome", "it is not signed")
        said = {"fleet": "f", "device": device, "id": identity, "op": "restart", "state": state, "at": 1}
        return Outcome.model_validate(said)

    return read


@given(st.lists(ANSWERS, max_size=60))
def test_it_is_over_when_each_has_had_a_last_word_and_the_first_of_these_stays(
    answers: list[tuple[str, str, str]],
) -> None:
    found = Gathering(ID, NAMES)
    words: dict[str, list[str]] = {name: [] for name in NAMES}
    bad = dict.fromkeys(NAMES, 0)
    for device, state, identity in answers:
        news = found.take(device, reading(device, state, identity), 1)
        if device not in words or set(words[device]) & set(LAST) or bad[device] >= gathering._MOST_BAD:
            assert news is None
        elif state == "forged":
            bad[device] += 1
        elif identity == ID:
            words[device].append(state)
    expected = {
        name: next((one for one in words[name] if one in LAST), words[name][0] if words[name] else "silent")
        for name in NAMES
    }
    assert {one.device: one.state for one in found.results} == expected
    assert found.over == all(state in LAST for state in expected.values())
    assert found.pending == [name for name in NAMES if expected[name] not in LAST]


def test_who_floods_us_with_what_does_not_count_is_looked_at_no_more() -> None:
    found = Gathering(ID, NAMES)
    looks = 0

    def read() -> Outcome:
        nonlocal looks
        looks += 1
        return reading("a", "forged")()

    for _ in range(100):
        found.take("a", read, 1)
    assert looks == gathering._MOST_BAD
    assert found.results[0].reason == "an answer does not count: it is not signed"


def test_results_beyond_what_memory_is_for_are_left_out_and_that_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(gathering, "_MOST_RESULTS", 10)
    found = Gathering(ID, NAMES)
    found.take("a", reading("a", "done"), 10)
    found.take("b", reading("b", "done"), 1)
    assert [one.reason for one in found.results] == ["", "its result is too much"]
    assert found.over


def test_a_second_envelope_of_the_same_command_takes_nothing_back() -> None:
    found = Gathering(ID, ["a"])
    found.take("a", reading("a", "accepted"), 1)
    said = {"fleet": "f", "device": "a", "id": ID, "op": "restart", "at": 1, "state": "refused"}
    assert found.take("a", lambda: Outcome.model_validate({**said, "refusal": "replayed"}), 1) is None
    assert found.working == ["a"]
    found.take("a", reading("a", "done"), 1)
    assert found.results[0].good


def test_a_device_whose_key_was_taken_away_meanwhile_costs_the_others_no_answer() -> None:
    def gone() -> Outcome:
        raise ConfigInvalid("read", "a.pub", "it is not there", "")

    found = Gathering(ID, NAMES)
    after = found.take("a", gone, 10)
    assert after
    assert after.reason == "an answer does not count: it is not there"
    assert found.take("b", reading("b", "done"), 10)
    assert [one.state for one in found.results] == ["silent", "done"]
