"""A proof whose worker is a puppet: deadlines, distrust, and what is made of each end."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from agent.errors import (
    EXIT_CONFIG,
    AgentError,
    BundleRefused,
    ConfigInvalid,
    LaneCrashed,
    ModelInvalid,
    Retryable,
)
from agent.processes.message import error_of
from agent.types import Phase
from agent.workers import messages
from agent.workers.heartbeat import Slot
from agent.workers.proof import Proof
from agent.workers.spec import LaneSpec
from tests.simulators.lane_stage import DEADLINES
from tests.simulators.puppet_worker import READY, Spawner

if TYPE_CHECKING:
    from collections.abc import Iterator

TERM, KILL = signal.SIGTERM, signal.SIGKILL
FOUND = {
    **READY,
    "type": "proved",
    "bundle": "ef" * 32,
    "goldens": 3,
    "runs": 50,
    "p50_ms": 1.5,
    "p95_ms": 2.0,
    "rss_mb": 3.0,
}
SPEC = LaneSpec(pipeline="door", model="/m/2", source="video", once=True, draw="/tmp/x")


class Stage:
    """A proof, its worker, and the time."""

    def __init__(self) -> None:
        self.spawner = Spawner()
        self.now = 1000.0
        self.proof = Proof(SPEC, DEADLINES, spawn=self.spawner, limit_s=60)

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.proof.tick(self.now)

    def end(self, code: int) -> object:
        self.spawner.last.die(code)
        self.proof.reap(self.now)
        assert self.proof.process is None
        return self.proof.outcome


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    stage.proof.start(stage.now)
    yield stage
    stage.spawner.bury()


def test_a_worker_is_told_to_prove_and_nothing_else(stage: Stage) -> None:
    spec = stage.spawner.last.spec
    assert (spec.prove, spec.model, spec.once, spec.draw) == (True, "/m/2", False, "")


def test_what_was_found_is_the_outcome_once_the_process_has_gone(stage: Stage) -> None:
    stage.spawner.last.say(FOUND)
    stage.proof.receive()
    assert stage.proof.outcome is None
    found = stage.end(0)
    assert isinstance(found, messages.Proved)
    assert (found.p95_ms, found.bundle) == (2.0, "ef" * 32)
    assert stage.proof.next_tick(stage.now) is None


@pytest.mark.parametrize(
    ("error", "rule", "kind"),
    [
        ("BundleRefused", "golden", BundleRefused),
        ("ConfigInvalid", "", ConfigInvalid),
        ("ModelInvalid", "", ModelInvalid),
        ("Retryable", "", Retryable),
        ("BackendFault", "", LaneCrashed),
        ("AgentError", "", LaneCrashed),
        ("nonsense", "", LaneCrashed),
    ],
)
def test_a_fault_is_the_outcome_by_its_class_and_rule(
    stage: Stage, error: str, rule: str, kind: type[AgentError]
) -> None:
    stage.spawner.last.fault("it differs", error=error, rule=rule)
    outcome = stage.end(EXIT_CONFIG)
    assert type(outcome) is kind
    assert "it differs" in str(outcome)
    if isinstance(outcome, BundleRefused):
        assert outcome.rule == rule


@pytest.mark.parametrize(
    ("code", "words"), [(-11, "SIGSEGV"), (-9, "SIGKILL"), (1, "exit code 1"), (0, "exit code 0")]
)
def test_a_death_without_a_word_is_a_crash(stage: Stage, code: int, words: str) -> None:
    outcome = stage.end(code)
    assert isinstance(outcome, LaneCrashed)
    assert words in outcome.problem


def test_a_worker_that_dies_after_it_has_proved_is_not_believed(stage: Stage) -> None:
    stage.spawner.last.say(FOUND)
    assert isinstance(stage.end(-11), LaneCrashed)


def test_a_hang_is_met_with_sigterm_then_sigkill_then_given_up(stage: Stage) -> None:
    worker = stage.spawner.last
    worker.page._words[Slot.INFER] = Phase.INVOKE << 56 | int(stage.now * 1e9) >> 10
    stage.wait(1.9)
    assert worker.signals == []
    stage.wait(0.2)
    assert worker.signals == [TERM]
    stage.wait(0.6)
    assert worker.signals == [TERM, KILL]
    assert stage.proof.outcome is None
    stage.wait(5.1)
    assert isinstance(stage.proof.outcome, LaneCrashed)
    assert "it hung for 2.1 s in invoke; SIGKILL did not end it" in stage.proof.outcome.problem
    outcome = stage.proof.outcome
    assert stage.end(-KILL) is outcome


def test_the_whole_has_a_limit_though_no_phase_overruns(stage: Stage) -> None:
    for _ in range(61):
        stage.spawner.last.page._words[Slot.INFER] = Phase.INVOKE << 56 | int(stage.now * 1e9) >> 10
        stage.wait(1.0)
    assert stage.spawner.last.signals == [TERM, KILL]
    outcome = stage.end(-KILL)
    assert isinstance(outcome, LaneCrashed)
    assert "longer than 60 s" in outcome.problem


@pytest.mark.parametrize("packet", [b"garbage", b'{"type":"opened","live":true}', b"x" * 70_000])
def test_a_worker_that_breaks_the_protocol_is_killed_and_not_believed(stage: Stage, packet: bytes) -> None:
    worker = stage.spawner.last
    worker.say(packet)
    worker.say(FOUND)
    stage.proof.receive()
    assert (worker.signals, stage.proof.silent) == ([KILL], True)
    assert isinstance(stage.end(-KILL), LaneCrashed)


def test_a_worker_that_writes_over_its_page_is_killed(stage: Stage) -> None:
    stage.spawner.last.page._words[Slot.INFER] = (1 << 64) - 1
    stage.wait(0.3)
    assert stage.spawner.last.signals == [KILL]


def test_a_worker_that_falls_silent_and_lives_is_ended(stage: Stage) -> None:
    stage.spawner.last.end.close()
    stage.proof.receive()
    assert stage.proof.silent
    for _ in range(3):
        stage.wait(0.6)
    assert stage.spawner.last.signals == [TERM, KILL]
    outcome = stage.end(-KILL)
    assert isinstance(outcome, LaneCrashed)
    assert "fell silent" in outcome.problem


def test_a_proof_that_is_called_off_says_nothing_of_the_bundle(stage: Stage) -> None:
    stage.spawner.last.say(FOUND)
    stage.proof.stop()
    assert stage.spawner.last.signals == [KILL]
    assert isinstance(stage.end(-KILL), Retryable)


def test_a_machine_that_cannot_start_a_process_now_may_later() -> None:
    stage = Stage()
    stage.spawner.broken = True
    stage.proof.start(stage.now)
    assert isinstance(stage.proof.outcome, Retryable)
    assert stage.proof.process is None
    for call in (stage.proof.receive, stage.proof.stop):
        call()
    stage.proof.reap(stage.now)
    stage.proof.tick(stage.now)


def test_a_message_of_a_refusal_keeps_its_rule() -> None:
    fault: dict[str, Any] = {
        "error": "BundleRefused",
        "op": "o",
        "subject": "s",
        "problem": "p",
        "rule": "budget",
    }
    error = error_of(messages.Fault(**fault))
    assert isinstance(error, BundleRefused)
    assert error.rule == "budget"
