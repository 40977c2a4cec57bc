"""When settings have stood their probation, and when they have not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from agent.configuring.probation import Probation
from agent.configuring.start import Before
from agent.workers.policy import State


def lane(name: str, state: State = State.STARTING) -> Any:
    return SimpleNamespace(name=name, state=state, restarts=0, fault=None, problem="ended by SIGSEGV")


@pytest.fixture
def lanes() -> list[Any]:
    return [lane("door"), lane("gate", State.FATAL)]


def made(lanes: list[Any], *, online: bool = False) -> Probation:
    return Probation(lanes, Before(frozenset({"door"}), online), 100.0)


def test_what_ran_before_must_run_for_a_while_and_what_did_not_need_not(lanes: list[Any]) -> None:
    probation = made(lanes)
    assert not probation.passed(60, 101, online=False)
    lanes[0].state = State.RUNNING
    assert not probation.passed(60, 102, online=False)
    assert not probation.passed(60, 106.9, online=False)
    assert probation.passed(60, 107, online=False)
    assert probation.problem(60, 107) == ""


def test_a_death_in_between_begins_that_while_anew(lanes: list[Any]) -> None:
    probation = made(lanes)
    lanes[0].state = State.RUNNING
    assert not probation.passed(60, 102, online=False)
    lanes[0].restarts = 1
    assert not probation.passed(60, 107, online=False)
    assert not probation.passed(60, 108, online=False)
    assert probation.passed(60, 113, online=False)


def test_the_link_must_be_up_again_if_it_was(lanes: list[Any]) -> None:
    probation = made(lanes, online=True)
    lanes[0].state = State.RUNNING
    assert not probation.passed(0.1, 110, online=False)
    assert probation.problem(0.1, 159) == ""
    assert probation.problem(0.1, 160) == "the link is not up after 60 s, and it was before"
    assert not probation.passed(0.1, 160, online=True)
    assert probation.passed(0.1, 160.2, online=True)


def test_one_that_cannot_run_or_dies_and_dies_fails_at_once(lanes: list[Any]) -> None:
    probation = made(lanes)
    lanes[0].restarts = 3
    said = "the worker of pipeline door died 3 times: ended by SIGSEGV"
    assert probation.problem(60, 101) == said
    lanes[0].state = State.FATAL
    assert probation.problem(60, 101) == "pipeline door cannot run: it is fatal"


def test_one_that_does_not_come_up_has_so_long_and_no_longer(lanes: list[Any]) -> None:
    probation = made(lanes)
    assert probation.problem(90, 189) == ""
    assert probation.problem(90, 190) == "pipeline door does not run after 90 s, and it was before"
