"""The link's states, and the waits between attempts."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.fsm import IllegalTransition, Machine
from agent.link.connection import LINK_TABLE, Backoff, LinkState, LinkStep
from agent.link.versions import Version, Versions


def machine(*steps: LinkStep) -> Machine[LinkState, LinkStep]:
    made = Machine(LINK_TABLE, LinkState.OFFLINE)
    for step in steps:
        made.fire(step)
    return made


def test_the_link_is_online_after_suback_and_not_before() -> None:
    link = machine(LinkStep.CONNECT, LinkStep.CONNACK)
    assert link.state is LinkState.SUBSCRIBING
    assert link.fire(LinkStep.SUBACK) is LinkState.ONLINE
    assert [row for row, target in LINK_TABLE.items() if target is LinkState.ONLINE] == [
        (LinkState.SUBSCRIBING, LinkStep.SUBACK)
    ]


@pytest.mark.parametrize("state", LinkState)
def test_the_link_can_be_closed_in_every_state(state: LinkState) -> None:
    assert Machine(LINK_TABLE, state).fire(LinkStep.CLOSE) is LinkState.OFFLINE


@pytest.mark.parametrize("steps", [(), (LinkStep.CONNACK,), (LinkStep.CONNACK, LinkStep.SUBACK)])
def test_a_connection_can_be_lost_or_refused_at_each_stage(steps: tuple[LinkStep, ...]) -> None:
    assert machine(LinkStep.CONNECT, *steps).fire(LinkStep.LOST) is LinkState.BACKOFF
    refused = machine(LinkStep.CONNECT, *steps)
    assert refused.fire(LinkStep.REFUSE) is LinkState.REFUSED
    assert refused.fire(LinkStep.CONNECT) is LinkState.CONNECTING


def test_a_second_connack_is_illegal() -> None:
    with pytest.raises(IllegalTransition):
        machine(LinkStep.CONNECT, LinkStep.CONNACK).fire(LinkStep.CONNACK)


@given(st.integers(0, 2**32), st.integers(1, 2000))
def test_waits_stay_between_nothing_and_a_doubling_bound(seed: int, attempts: int) -> None:
    backoff = Backoff(0.5, 60, random.Random(seed))
    for attempt in range(attempts):
        assert 0 <= backoff.next() <= min(60, 0.5 * 2.0 ** min(attempt, 60))


def test_waits_use_the_whole_range_and_begin_again_after_success() -> None:
    backoff = Backoff(1, 60, random.Random(1))
    late = [backoff.next() for _ in range(500)][50:]
    assert min(late) < 3
    assert max(late) > 57
    backoff.reset()
    assert backoff.next() <= 1


def current(versions: Versions) -> Version:
    return versions.current


def test_auto_falls_back_at_once_when_the_version_is_refused() -> None:
    versions = Versions("auto")
    assert current(versions) == "5"
    assert versions.failed(certain=True)
    assert current(versions) == "3.1.1"


def test_auto_tries_the_other_version_when_the_broker_says_nothing() -> None:
    versions = Versions("auto")
    assert versions.failed(certain=False)
    assert current(versions) == "3.1.1"
    assert versions.failed(certain=False)
    assert current(versions) == "5"


def test_a_version_that_worked_is_left_after_two_failures_in_a_row() -> None:
    versions = Versions("auto")
    versions.worked()
    assert not versions.failed(certain=False)
    versions.worked()
    assert not versions.failed(certain=False)
    assert current(versions) == "5"
    assert versions.failed(certain=False)
    assert current(versions) == "3.1.1"


def test_a_version_that_worked_is_left_when_the_broker_refuses_it() -> None:
    versions = Versions("auto")
    versions.worked()
    assert versions.failed(certain=True)
    assert current(versions) == "3.1.1"


@pytest.mark.parametrize("choice", ["5", "3.1.1"])
def test_a_chosen_version_is_kept(choice: str) -> None:
    versions = Versions("5" if choice == "5" else "3.1.1")
    for _ in range(5):
        assert not versions.failed(certain=True)
    assert current(versions) == choice
