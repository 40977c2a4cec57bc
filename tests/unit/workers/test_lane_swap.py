"""A lane whose model changes: swaps, what is said of them, and new workers with another model."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.errors import EXIT_CONFIG, ModelInvalid
from agent.ledger import Ledger
from agent.processes.message import error_of
from agent.supervision.recorder import Recorder
from agent.types import Phase
from agent.workers import messages
from agent.workers.heartbeat import Slot
from agent.workers.policy import State
from tests.simulators.clocks import ManualClock
from tests.simulators.lane_stage import DEADLINES, Stage
from tests.simulators.puppet_worker import READY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from agent.blocks import Stream

NEW = {**READY, "type": "swapped", "model": "glyphs@2", "sha256": "cd" * 32, "bundle": "ef" * 32}
KILL = signal.SIGKILL


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.spawner.bury()


def model_of(stage: Stage) -> str:
    assert stage.lane.ready is not None
    return stage.lane.ready.model


def test_a_swap_is_asked_for_and_its_answer_changes_what_serves(stage: Stage) -> None:
    stage.start(live=True)
    assert stage.lane.swap("/m/2", "ef" * 32, 7)
    assert stage.worker.heard() == [{"type": "swap", "model": "/m/2", "digest": "ef" * 32, "token": 7}]
    assert stage.lane.take_replies() == []
    stage.worker.say({**NEW, "token": 7})
    assert stage.lane.receive() == []
    [reply] = stage.lane.take_replies()
    assert isinstance(reply, messages.Swapped)
    assert (reply.token, reply.model) == (7, "glyphs@2")
    assert stage.lane.ready is not None
    assert (stage.lane.ready.model, stage.lane.ready.bundle) == ("glyphs@2", "ef" * 32)
    assert stage.lane.take_replies() == []


def test_a_swap_that_failed_says_why_and_changes_nothing(stage: Stage) -> None:
    stage.start(live=True)
    assert stage.lane.swap("/m/2", "", 1)
    why = {"error": "ModelInvalid", "op": "load model", "subject": "m", "problem": "torn", "hint": "Copy it"}
    stage.worker.say({"type": "unswapped", "token": 1, **why})
    stage.lane.receive()
    [reply] = stage.lane.take_replies()
    assert isinstance(reply, messages.Unswapped)
    error = error_of(reply)
    assert isinstance(error, ModelInvalid)
    assert str(error) == "load model m: torn. Copy it"
    assert model_of(stage) == "glyphs@1"


@pytest.mark.parametrize("message", ["swapped", "unswapped", "proved"])
def test_an_answer_that_nobody_asked_for_breaks_the_protocol(stage: Stage, message: str) -> None:
    stage.start(live=True)
    assert stage.lane.swap("/m/2", "", 1)
    said: dict[str, dict[str, Any]] = {
        "swapped": {**NEW, "token": 2},
        "unswapped": {
            "type": "unswapped",
            "token": 2,
            "error": "e",
            "op": "o",
            "subject": "s",
            "problem": "p",
        },
        "proved": {**NEW, "type": "proved", "goldens": 1, "runs": 1, "p50_ms": 1, "p95_ms": 1, "rss_mb": 1},
    }
    stage.worker.say(said[message])
    stage.lane.receive()
    assert stage.worker.signals == [KILL]
    assert stage.lane.take_replies() == []
    assert model_of(stage) == "glyphs@1"


def test_only_a_running_worker_can_be_asked_to_swap(stage: Stage) -> None:
    assert not stage.lane.swap("/m/2", "", 1)
    stage.lane.start(stage.now)
    assert not stage.lane.swap("/m/2", "", 1)
    stage.worker.ready(live=True)
    stage.lane.receive()
    stage.lane.stop(stage.now)
    assert not stage.lane.swap("/m/2", "", 1)


def test_a_worker_that_takes_no_messages_cannot_be_asked(stage: Stage) -> None:
    stage.start(live=True)
    count = 0
    while stage.lane.swap("/m/2", "", count):
        count += 1
    assert count > 0
    assert len(stage.worker.heard()) == count


def test_what_is_resident_is_let_go_of(stage: Stage) -> None:
    stage.lane.settle()
    stage.start(live=True)
    stage.lane.settle()
    assert stage.worker.heard() == [{"type": "settle"}]


def test_a_load_that_hangs_is_ended_like_any_other_hang(stage: Stage) -> None:
    stage.start(live=True)
    stage.lane.swap("/m/2", "", 1)
    stage.worker.page._words[Slot.LOAD] = Phase.LOAD << 56 | int(stage.now * 1e9) >> 10
    stage.wait(DEADLINES.load_s - 0.01)
    assert stage.state() is State.RUNNING
    stage.wait(0.02)
    assert stage.state() is State.KILLING
    stage.end(-KILL)
    assert stage.lane.take_replies() == []  # a death answers nothing
    assert stage.lane.ledger.balanced


def test_workers_that_are_started_from_now_on_run_what_is_to_be_served(stage: Stage) -> None:
    stage.start(live=True)
    stage.lane.serve("/m/2", "ef" * 32)
    assert stage.worker.heard() == []
    stage.end(-11)
    stage.wait(1)
    assert (stage.worker.spec.model, stage.worker.spec.digest) == ("/m/2", "ef" * 32)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(["results", "swap", "read", "tick"]), max_size=30), st.booleans())
def test_every_record_is_kept_as_the_work_of_the_model_that_made_it(steps: list[str], dies: bool) -> None:
    stage = Stage()
    stage.start(live=False)
    kept: list[tuple[int, str]] = []

    class Store:
        def put(
            self,
            records: Sequence[Mapping[str, Any]],
            ledgers: Mapping[str, Mapping[str, Any]],
            stream: Stream = "result",
        ) -> None:
            kept.extend((one["frame"], one["model"]) for one in records)

    recorder = Recorder(Store(), [stage.lane], ManualClock())
    model, frame, token = 1, 0, 0
    made: list[tuple[int, str]] = []
    for step in steps:
        if step == "results":
            stage.worker.results([frame, frame + 1], Ledger(captured=frame + 2, inferred=frame + 2))
            made += [(frame, f"glyphs@{model}"), (frame + 1, f"glyphs@{model}")]
            frame += 2
        elif step == "swap":
            model, token = model + 1, token + 1
            assert stage.lane.swap(f"/m/{model}", "", token)
            stage.worker.say({**NEW, "model": f"glyphs@{model}", "token": token})
        elif step == "read":
            recorder.keep(stage.lane, stage.lane.receive(packets=2))
        else:
            stage.wait(0.0)
    if dies:
        stage.worker.die(-9)
    for _ in range(len(steps) + 1):
        recorder.keep(stage.lane, stage.lane.receive())
    if dies:
        stage.lane.reap(stage.now)
    else:
        stage.wait(0.0)
    assert kept == made
    assert [reply.token for reply in stage.lane.take_replies()] == list(range(1, token + 1))
    assert model_of(stage) == f"glyphs@{model}"
    stage.spawner.bury()


def test_a_restart_ends_the_worker_politely_and_starts_a_new_one_at_once(stage: Stage) -> None:
    stage.start(live=True)
    stage.lane.serve("/m/2", "")
    stage.lane.restart(stage.now)
    assert stage.worker.heard() == [{"type": "stop"}]
    assert stage.state() is State.RENEWING
    assert not stage.lane.swap("/m/3", "", 1)
    stage.worker.results([0], Ledger(captured=1, inferred=1))
    stage.worker.ended(Ledger(captured=1, inferred=1))
    assert stage.end(0) == 0
    stage.wait(0.0)
    assert stage.state() is State.STARTING
    assert (stage.worker.spec.model, stage.worker.spec.start) == ("/m/2", 1)
    assert stage.lane.restarts == 0


@pytest.mark.parametrize("code", [0, 1, EXIT_CONFIG, -int(KILL)])
@pytest.mark.parametrize("slow", [False, True])
def test_however_a_worker_ends_that_was_to_be_renewed_a_new_one_follows(
    stage: Stage, code: int, slow: bool
) -> None:
    stage.start(live=False)
    stage.lane.restart(stage.now)
    if slow:
        stage.wait(5.1)
        assert stage.state() is State.KILLING
        assert stage.worker.signals == [signal.SIGTERM]
    stage.worker.ended(Ledger())
    stage.end(code)
    stage.wait(0.0)
    assert stage.state() is State.STARTING
    assert not stage.lane.refused
    assert len(stage.spawner.born) == 2


def test_a_restart_revives_what_had_refused_and_hastens_what_waits(stage: Stage) -> None:
    stage.lane.start(stage.now)
    stage.end(EXIT_CONFIG)
    assert (stage.state(), stage.lane.refused) == (State.FATAL, True)
    stage.lane.restart(stage.now)
    assert (stage.state(), stage.lane.refused) == (State.STARTING, False)
    stage.end(1)
    assert stage.state() is State.BACKOFF
    stage.lane.restart(stage.now)
    stage.wait(0.0)
    assert stage.state() is State.STARTING


def test_a_restart_of_what_is_to_stop_or_is_over_does_nothing(stage: Stage) -> None:
    stage.start(live=False)
    stage.worker.ended(Ledger(captured=1, inferred=1))
    stage.end(0)
    stage.lane.restart(stage.now)
    assert stage.state() is State.ENDED
    stage.lane.stop(stage.now)
    stage.lane.restart(stage.now)
    assert stage.state() is State.STOPPED
    assert len(stage.spawner.born) == 1


def test_a_stop_overtakes_a_restart(stage: Stage) -> None:
    stage.start(live=True)
    stage.lane.restart(stage.now)
    stage.lane.stop(stage.now)
    assert stage.state() is State.STOPPING
    stage.worker.ended(Ledger())
    stage.end(0)
    stage.wait(100)
    assert stage.state() is State.STOPPED
    assert len(stage.spawner.born) == 1
