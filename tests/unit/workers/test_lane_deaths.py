"""A lane whose worker ends: accounts, restarts, what goes on where."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from agent.errors import EXIT_CONFIG
from agent.events import counters
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


def test_a_stuck_worker_gets_no_twin_until_it_is_dead(stage: Stage) -> None:
    stage.start(live=True)
    stage.hang(Phase.WAIT, Phase.INVOKE)
    for _ in range(100):
        stage.wait(5)
    assert (stage.state(), len(stage.spawner.born)) == (State.STUCK, 1)
    stage.end(-KILL)
    assert stage.state() is State.BACKOFF
    stage.wait(0.2)
    assert len(stage.spawner.born) == 2


def test_a_live_sources_death_takes_what_the_page_says_was_captured(stage: Stage) -> None:
    stage.start(live=True)
    stage.worker.results([0, 1], Ledger(captured=6, inferred=2, dropped={"overwritten": 2}, in_flight=2))
    stage.worker.page.captured = 11
    before = counters["frame.lost"]
    assert stage.end(-KILL) == 7
    assert stage.lane.ledger == Ledger(captured=11, inferred=2, dropped={"overwritten": 2}, lost=7)
    assert counters["frame.lost"] == before + 7
    assert stage.state() is State.BACKOFF


def test_results_that_a_dead_worker_had_sent_are_not_lost(stage: Stage) -> None:
    stage.start(live=True)
    stage.worker.page.captured = 2
    stage.worker.results([0, 1], Ledger(captured=2, inferred=2))
    stage.worker.die(-KILL)
    assert [record.frame for record in stage.lane.receive()] == [0, 1]
    assert stage.lane.reap(stage.now) == 0


def test_a_worker_that_lives_is_not_reaped(stage: Stage) -> None:
    stage.start(live=True)
    assert stage.lane.reap(stage.now) is None
    assert stage.lane.run is not None


def test_accounts_go_on_over_runs(stage: Stage) -> None:
    stage.start(live=True)
    stage.worker.page.captured = 10
    stage.worker.results([0], Ledger(captured=9, inferred=4, in_flight=5))
    stage.end(-11)
    stage.wait(0.2)
    assert stage.worker.spec.start == 10
    stage.worker.ready(live=True)
    stage.worker.results([10], Ledger(captured=2, inferred=1, failed={"decode": 1}))
    stage.lane.receive()
    assert stage.lane.ledger == Ledger(captured=12, inferred=5, failed={"decode": 1}, lost=6)


def test_a_recording_goes_on_at_the_first_frame_that_is_not_settled(stage: Stage) -> None:
    stage.start(live=False)
    stage.worker.page.captured = 8
    stage.worker.results([0, 1, 2], Ledger(captured=7, inferred=3, failed={"decode": 1}, in_flight=3))
    assert stage.end(-KILL) == 0
    assert stage.lane.ledger == Ledger(captured=4, inferred=3, failed={"decode": 1})
    stage.wait(0.2)
    assert stage.worker.spec.start == 4


def test_a_frame_that_kills_two_runs_is_given_up_as_lost(stage: Stage) -> None:
    stage.start(live=False)
    stage.worker.results([0], Ledger(captured=3, inferred=1, in_flight=2))
    assert stage.end(-11) == 0
    stage.wait(1)
    stage.worker.ready(live=False)
    assert (stage.worker.spec.start, stage.end(-11)) == (1, 0)
    stage.wait(1)
    stage.worker.ready(live=False)
    assert (stage.worker.spec.start, stage.end(-11)) == (1, 1)
    stage.wait(1)
    assert stage.worker.spec.start == 2
    assert stage.lane.ledger == Ledger(captured=2, inferred=1, lost=1)


def test_deaths_before_the_source_is_open_give_no_frame_up(stage: Stage) -> None:
    stage.start(live=False)
    stage.end(-11)
    for _ in range(5):
        stage.wait(30)
        stage.end(-11)
    assert stage.lane.ledger == Ledger()


def test_a_settled_frame_between_two_deaths_is_progress(stage: Stage) -> None:
    stage.start(live=False)
    for frame in range(6):
        if frame % 2:
            stage.worker.results([frame // 2], Ledger(captured=1, inferred=1))
        assert stage.end(-11) == 0
        stage.wait(30)
        stage.worker.ready(live=False)
    assert stage.lane.ledger == Ledger(captured=3, inferred=3)


def test_the_end_of_a_recording_ends_the_lane(stage: Stage) -> None:
    stage.start(live=False)
    stage.worker.results([0], Ledger(captured=1, inferred=1))
    stage.worker.ended(Ledger(captured=1, inferred=1), "a.mp4: 1 frames")
    assert stage.end(0) == 0
    assert stage.state() is State.ENDED
    stage.wait(1000)
    assert len(stage.spawner.born) == 1


def test_an_exit_without_a_word_is_a_death(stage: Stage) -> None:
    stage.start(live=False)
    stage.end(0)
    assert (stage.state(), stage.lane.restarts) == (State.BACKOFF, 1)


def test_a_refusal_is_final_and_says_why(stage: Stage) -> None:
    stage.lane.start(stage.now)
    stage.worker.fault("it is damaged")
    stage.end(EXIT_CONFIG)
    assert (stage.state(), stage.lane.refused) == (State.FATAL, True)
    assert stage.lane.fault is not None
    assert stage.lane.fault.problem == "it is damaged"
    stage.wait(1000)
    assert len(stage.spawner.born) == 1


def test_a_worker_that_keeps_dying_is_started_ever_more_seldom(stage: Stage) -> None:
    stage.lane.start(stage.now)
    for wait_s in (0.1, 0.2, 0.4, 0.8):
        stage.end(1)
        born = len(stage.spawner.born)
        assert stage.lane.next_tick(stage.now) == pytest.approx(wait_s)
        stage.wait(wait_s - 0.01)
        assert len(stage.spawner.born) == born
        stage.wait(0.02)
        assert len(stage.spawner.born) == born + 1
    assert stage.lane.restarts == 4


def test_a_machine_that_cannot_start_one_is_asked_again(stage: Stage) -> None:
    stage.spawner.broken = True
    stage.lane.start(stage.now)
    assert (stage.state(), stage.lane.run, stage.lane.restarts) == (State.BACKOFF, None, 1)
    stage.spawner.broken = False
    stage.wait(0.2)
    assert stage.state() is State.STARTING


@pytest.mark.parametrize(
    ("code", "said"),
    [(-9, "ended by SIGKILL"), (-40, "ended by signal 40"), (-11, "ended by SIGSEGV"), (3, "exit code 3")],
)
def test_a_death_is_reported_with_its_cause(
    stage: Stage, code: int, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    stage.start(live=True)
    stage.end(code)
    assert f"lane.died door problem={said}" in caplog.messages


def test_a_death_with_a_last_word_is_reported_with_it(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    stage.start(live=True)
    stage.worker.fault("the delegate refused", hint="Plug it in")
    stage.end(1)
    assert "lane.died door problem=o s: the delegate refused. Plug it in" in caplog.messages
