"""A lane while its worker lives: messages, deadlines, distrust."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import orjson
import pytest

from agent import events
from agent.errors import EXIT_CONFIG
from agent.events import counters, heard_by
from agent.ledger import Ledger
from agent.types import Phase
from agent.workers.heartbeat import Slot
from agent.workers.policy import State
from tests.simulators.lane_stage import Stage
from tests.simulators.puppet_worker import READY

if TYPE_CHECKING:
    from collections.abc import Iterator

TERM, KILL = signal.SIGTERM, signal.SIGKILL


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.spawner.bury()


def test_a_worker_is_starting_until_its_model_is_loaded(stage: Stage) -> None:
    assert stage.state() is State.STOPPED
    stage.lane.start(stage.now)
    assert stage.state() is State.STARTING
    assert stage.worker.page.read(Slot.INFER)[0] is Phase.START
    stage.worker.ready(live=True)
    assert stage.lane.receive() == []
    assert stage.state() is State.RUNNING
    assert stage.lane.ready is not None
    assert stage.lane.ready.delegate == "cpu"


def test_a_source_that_is_away_is_known_until_it_is_back(stage: Stage) -> None:
    stage.start(live=True)
    stage.worker.say({"type": "lost", "problem": "unplugged"})
    stage.lane.receive()
    assert stage.lane.run is not None
    assert stage.lane.run.away == "unplugged"
    stage.worker.say({"type": "opened", "live": True})
    stage.lane.receive()
    assert stage.lane.run.away == ""


def test_results_come_with_the_ledger_as_of_the_last(stage: Stage) -> None:
    stage.start(live=True)
    ledger = Ledger(captured=5, inferred=2, dropped={"overwritten": 1}, in_flight=2)
    stage.worker.results([0, 3], ledger)
    assert [record.frame for record in stage.lane.receive()] == [0, 3]
    assert stage.lane.ledger == ledger


def test_only_so_many_packets_are_read_in_a_turn(stage: Stage) -> None:
    stage.start(live=True)
    for frame in range(5):
        stage.worker.results([frame], Ledger(captured=frame + 1, inferred=frame + 1))
    assert [record.frame for record in stage.lane.receive(packets=3)] == [0, 1, 2]
    assert [record.frame for record in stage.lane.receive()] == [3, 4]


@pytest.mark.parametrize(
    ("capture", "infer", "limit_s"),
    [
        (Phase.NONE, Phase.START, 20),
        (Phase.NONE, Phase.LOAD, 30),
        (Phase.OPEN, Phase.WAIT, 6),
        (Phase.CAPTURE, Phase.WAIT, 4),
        (Phase.PREPROCESS, Phase.WAIT, 2),
        (Phase.WAIT, Phase.INVOKE, 2),
        (Phase.WAIT, Phase.DECODE, 2),
    ],
)
def test_an_overrun_is_met_with_sigterm_then_sigkill_then_given_up(
    stage: Stage, capture: Phase, infer: Phase, limit_s: float
) -> None:
    stage.start(live=True)
    stage.hang(capture, infer)
    stage.wait(limit_s - 0.01)
    assert (stage.state(), stage.worker.signals) == (State.RUNNING, [])
    stage.wait(0.02)
    assert (stage.state(), stage.worker.signals) == (State.KILLING, [TERM])
    stage.wait(0.4)
    assert stage.worker.signals == [TERM]
    stage.wait(0.2)
    assert stage.worker.signals == [TERM, KILL]
    stage.wait(4.9)
    assert stage.state() is State.KILLING
    before = counters["lane.stuck"]
    stage.wait(0.2)
    assert stage.state() is State.STUCK
    assert counters["lane.stuck"] == before + 1


def test_waiting_and_sending_are_no_hangs(stage: Stage) -> None:
    stage.start(live=True)
    for phases in ((Phase.WAIT, Phase.SEND), (Phase.NONE, Phase.WAIT)):
        stage.hang(*phases)
        stage.wait(100_000)
        assert stage.state() is State.RUNNING


def test_a_worker_that_ends_by_itself_while_it_is_killed_has_ended(stage: Stage) -> None:
    stage.start(live=False)
    stage.hang(Phase.CAPTURE, Phase.WAIT)
    stage.wait(5)
    stage.worker.ended(Ledger(captured=3, inferred=3))
    assert stage.end(0) == 0
    assert stage.state() is State.ENDED


def test_a_worker_that_refuses_while_it_is_killed_has_refused(stage: Stage) -> None:
    stage.lane.start(stage.now)
    stage.hang(Phase.NONE, Phase.START)
    stage.wait(100)
    stage.end(EXIT_CONFIG)
    assert (stage.state(), stage.lane.refused) == (State.FATAL, True)


@pytest.mark.parametrize(
    "packet", [b"garbage", b"\xff" * 100, b'{"type":"results"}', b"x" * 70_000, orjson.dumps(READY)]
)
def test_a_worker_that_breaks_the_protocol_is_killed_and_replaced(stage: Stage, packet: bytes) -> None:
    stage.start(live=True)
    stage.worker.say(packet)
    stage.worker.results([1], Ledger(captured=1, inferred=1))
    assert stage.lane.receive() == []
    assert stage.worker.signals == [KILL]
    assert stage.lane.receive() == []
    stage.end(-KILL)
    stage.wait(0.2)
    assert len(stage.spawner.born) == 2
    assert stage.lane.ledger.balanced


def test_a_worker_that_writes_over_its_page_is_killed(stage: Stage) -> None:
    stage.start(live=True)
    stage.worker.page._words[Slot.CAPTURE] = (1 << 64) - 1
    stage.wait(1)
    assert stage.worker.signals == [KILL]
    stage.worker.page.captured = (1 << 64) - 1
    stage.worker.die(-KILL)
    assert stage.lane.reap(stage.now) == 0
    assert stage.lane.ledger == Ledger()


def test_a_worker_that_falls_silent_for_good_but_lives_is_killed(stage: Stage) -> None:
    stage.start(live=True)
    stage.worker.end.close()
    assert stage.lane.receive() == []
    stage.wait(0)
    assert stage.worker.signals == []  # it may be on its way out
    stage.wait(0.6)
    assert (stage.state(), stage.worker.signals) == (State.KILLING, [TERM])
    stage.wait(0.6)
    assert stage.worker.signals == [TERM, KILL]
    stage.wait(6)
    assert stage.state() is State.STUCK


def test_a_ledger_that_does_not_balance_is_reported(stage: Stage) -> None:
    stage.start(live=True)
    before = counters["ledger.unbalanced"]
    stage.worker.results([0], Ledger(captured=5, inferred=1))
    stage.lane.receive()
    assert counters["ledger.unbalanced"] == before + 1


def test_dropped_and_failed_frames_are_counted_as_events_once(stage: Stage) -> None:
    stage.start(live=True)
    before = counters.copy()
    for ledger in (
        Ledger(captured=3, dropped={"overwritten": 2}, failed={"decode": 1}),
        Ledger(captured=7, dropped={"overwritten": 5}, failed={"decode": 1, "backend": 1}),
    ):
        stage.worker.results([], ledger)
        stage.lane.receive()
    assert counters["frame.dropped"] - before["frame.dropped"] == 5
    assert counters["frame.failed"] - before["frame.failed"] == 2


def test_why_a_frame_of_a_live_source_failed_stands_in_the_event_of_its_reason_alone(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, dict[str, object]]] = []
    stage.start(live=True)
    with heard_by(lambda event, _, fields: told.append((event.value, fields))):
        stage.worker.say({"type": "refused", "reason": "unreadable", "problem": "no number"})
        for failed in ({"decode": 1}, {"decode": 1, "unreadable": 1}):
            monkeypatch.setattr(events, "_last_logged", {})  # it would say it once a minute
            stage.worker.results([], Ledger(captured=2, inferred=2 - sum(failed.values()), failed=failed))
            stage.lane.receive()
    assert told == [
        ("frame.failed", {"reason": "decode"}),
        ("frame.failed", {"reason": "unreadable", "problem": "no number"}),
    ]
