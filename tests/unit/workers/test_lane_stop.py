"""A lane that is asked to stop, whatever state it is in."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from agent.errors import EXIT_CONFIG
from agent.ledger import Ledger
from agent.types import Phase
from agent.workers.policy import State
from tests.simulators.lane_stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator

TERM, KILL = signal.SIGTERM, signal.SIGKILL


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.spawner.bury()


def test_a_worker_that_is_asked_to_stop_gives_no_frame_up(stage: Stage) -> None:
    stage.start(live=False)
    stage.end(-11)
    stage.wait(1)
    stage.worker.ready(live=False)
    stage.lane.receive()
    stage.lane.stop(stage.now)
    assert stage.end(-TERM) == 0
    assert stage.lane.ledger == Ledger()


def test_a_stop_is_asked_for_politely_and_then_enforced(stage: Stage) -> None:
    stage.start(live=True)
    stage.lane.stop(stage.now)
    assert stage.worker.heard() == [{"type": "stop"}]
    assert (stage.state(), stage.worker.signals) == (State.STOPPING, [])
    stage.hang(Phase.WAIT, Phase.INVOKE)
    stage.wait(4.9)
    assert stage.worker.signals == []
    stage.wait(0.2)
    assert stage.worker.signals == [TERM]
    stage.wait(0.6)
    assert stage.worker.signals == [TERM, KILL]
    stage.end(-KILL)
    assert (stage.state(), stage.lane.restarts) == (State.STOPPED, 0)
    stage.wait(1000)
    assert len(stage.spawner.born) == 1


@pytest.mark.parametrize("code", [0, 1, EXIT_CONFIG, -int(KILL)])
def test_a_stopping_worker_may_end_as_it_likes(stage: Stage, code: int) -> None:
    stage.start(live=True)
    stage.lane.stop(stage.now)
    stage.worker.ended(Ledger(captured=1, inferred=1))
    stage.end(code)
    assert stage.state() is State.STOPPED
    assert stage.lane.ledger.balanced


def test_a_stop_before_the_worker_is_ready_ends_it(stage: Stage) -> None:
    stage.lane.start(stage.now)
    stage.lane.stop(stage.now)
    assert stage.worker.heard() == [{"type": "stop"}]
    stage.worker.ready(live=True)
    stage.lane.receive()
    assert stage.state() is State.STOPPING
    stage.end(0)
    assert stage.state() is State.STOPPED


def test_a_stop_while_it_is_killed_does_not_slow_the_killing(stage: Stage) -> None:
    stage.start(live=True)
    stage.hang(Phase.WAIT, Phase.INVOKE)
    stage.wait(3)
    stage.lane.stop(stage.now)
    stage.wait(0.6)
    assert (stage.state(), stage.worker.signals) == (State.STOPPING, [TERM, KILL])
    stage.end(-KILL)
    assert (stage.state(), stage.lane.restarts) == (State.STOPPED, 0)


def test_a_stop_while_it_waits_to_start_again_is_done_at_once(stage: Stage) -> None:
    stage.start(live=True)
    stage.end(1)
    stage.lane.stop(stage.now)
    assert stage.state() is State.STOPPED
    stage.wait(1000)
    assert len(stage.spawner.born) == 1


@pytest.mark.parametrize("code", [0, 1, EXIT_CONFIG, -int(KILL)])
@pytest.mark.parametrize("first", ["stop", "stuck"])
def test_a_stuck_worker_that_dies_after_a_stop_is_not_started_again(
    stage: Stage, code: int, first: str
) -> None:
    stage.start(live=False)
    if first == "stop":
        stage.lane.stop(stage.now)
    stage.hang(Phase.WAIT, Phase.INVOKE)
    for _ in range(5):
        stage.wait(6)
    assert stage.state() is State.STUCK
    stage.lane.stop(stage.now)
    stage.worker.ended(Ledger())
    stage.end(code)
    assert stage.state() is State.STOPPED
    stage.wait(1000)
    assert len(stage.spawner.born) == 1


def test_a_stop_of_a_worker_that_is_gone_turns_to_signals(stage: Stage) -> None:
    stage.start(live=True)
    stage.worker.end.close()
    stage.lane.stop(stage.now)
    assert (stage.state(), stage.worker.signals) == (State.STOPPING, [TERM])


def test_stopping_twice_is_stopping_once(stage: Stage) -> None:
    stage.start(live=True)
    stage.lane.stop(stage.now)
    stage.wait(1)
    stage.lane.stop(stage.now)
    assert stage.worker.heard() == [{"type": "stop"}]
    stage.end(0)
    stage.lane.stop(stage.now)
    assert stage.state() is State.STOPPED
