"""What an incident of an accelerator means to its pipelines, and what is told of it."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from agent.boards.accelerators import Lend
from agent.events import counters
from agent.ledger import Ledger
from agent.recovery.ladder import CURED_FRAMES, CURED_S, State
from agent.workers.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulators.puppet_accelerator import Bench

TERM = signal.SIGTERM


@pytest.mark.parametrize("kind", ["overrun", "died", "refused", "garbage"])
def test_an_incident_ends_the_process_at_once_and_a_new_one_serves(bench: Bench, kind: str) -> None:
    bench.serve()
    first = bench.tpu()
    bench.incident(kind, 1)
    assert bench.delegate() == "cpu"
    assert bench.state() is State.CLOSING
    assert first.signals == [TERM]
    assert bench.told() == [{"type": "relieve", "generation": 1}]
    assert bench.all.standing("door") == {"accelerator": None, "twin": True}
    first.die(-TERM)
    bench.turn()
    assert bench.state() is State.REOPENING
    bench.tpu().opened()
    bench.turn()
    assert bench.state() is State.PROBATION
    assert bench.accelerated() == 2
    assert bench.delegate() == "usb"
    assert bench.all.owners["usb"].incidents == {kind: 1}


def test_the_ladder_goes_on_to_a_reset_and_then_to_a_rest(bench: Bench) -> None:
    bench.serve()
    bench.incident("refused", 1)
    for generation in (2, 3):
        bench.tpu().die(-TERM)
        bench.turn()
        if bench.resets and bench.resets[-1].code is None:
            assert bench.state() is State.RESETTING
            bench.resets[-1].die(0)
            bench.turn()
        bench.tpu().opened()
        bench.turn()
        assert bench.accelerated() == generation
        bench.incident("refused", generation)
    bench.tpu().die(-TERM)
    bench.turn()
    assert (bench.state(), len(bench.resets), len(bench.born["usb"])) == (State.RESTING, 1, 3)
    [status] = bench.all.status(bench.clock.now)
    assert (status["rung"], status["next_try_s"], status["restarts"]) == (3, 30.0, 2)
    bench.turn(30.1)
    assert bench.state() is State.REOPENING


def test_frames_and_time_cure_it(bench: Bench) -> None:
    bench.serve()
    bench.incident("died", 1)
    bench.tpu().die(-11)
    bench.turn()
    bench.tpu().opened()
    bench.turn()
    bench.accelerated()
    record = Record(frame=1, captured_ns=1, kind="k", items=[])
    failed = record.model_copy(update={"kind": "failed"})
    bench.all.saw("door", [failed] * CURED_FRAMES)
    bench.turn(CURED_S)
    assert bench.state() is State.PROBATION
    bench.all.saw("door", [record] * CURED_FRAMES)
    bench.turn()
    assert bench.state() is State.SERVING
    assert bench.all.owners["usb"].problem == "ended by SIGSEGV"


@pytest.mark.parametrize("kind", ["load", "garbage", "refused"])
def test_a_model_that_never_worked_there_harms_nobody_else(make: Callable[..., Bench], kind: str) -> None:
    bench = make("usb", door="auto", yard="auto")
    bench.serve("door")
    bench.begin("yard")
    bench.told("yard")
    bench.incident(kind, 2, "yard")
    assert bench.state() is State.SERVING
    assert (bench.delegate(), bench.delegate("yard")) == ("usb", "cpu")
    bench.turn(29)
    assert [one["type"] for one in bench.told("yard")] == ["relieve"]
    bench.turn(2)
    assert [one["generation"] for one in bench.told("yard")] == [3]


def test_an_accelerator_that_loads_anothers_model_is_no_incident(bench: Bench) -> None:
    bench.serve()
    bench.says("door", "relieved", 1, reason="busy")
    assert bench.delegate() == "cpu"
    bench.says("door", "accelerated", 1, delegate="usb", delegated=[7, 7], goldens=3)
    assert bench.delegate() == "usb"
    assert bench.state() is State.SERVING


def test_records_before_a_change_are_the_work_of_what_was_there_before(bench: Bench) -> None:
    bench.serve()
    worker, lane = bench.worker(), bench.lanes["door"]
    worker.results([0], Ledger(captured=1, inferred=1))
    worker.say(
        {
            "type": "incident",
            "accelerator": "usb",
            "generation": 1,
            "kind": "died",
            "problem": "x",
            "twin": True,
        }
    )
    worker.results([1], Ledger(captured=2, inferred=2))
    assert [one.frame for one in lane.receive()] == [0]
    assert bench.delegate() == "usb"
    assert [one.frame for one in lane.receive()] == [1]
    assert bench.delegate() == "cpu"


def test_blind_time_is_told_with_its_incident_and_summed_up(bench: Bench) -> None:
    before = counters["accelerator.failed"]
    bench.serve()
    bench.incident("overrun", 1)
    assert counters["accelerator.failed"] == before
    bench.says("door", "regained", 1, kind="overrun", blind_us=263_000)
    assert counters["accelerator.failed"] == before + 1
    [status] = bench.all.status(bench.clock.now)
    assert (status["blind_ms"], status["blind_sum_ms"]) == (263.0, 263.0)
    numbers = {one["name"]: one["value"] for one in bench.all.numbers()}
    assert numbers['accelerator_blind_seconds_total{accelerator="usb"}'] == 0.263
    assert numbers['accelerator_incidents_total{accelerator="usb",kind="overrun"}'] == 1
    assert numbers['accelerator_up{accelerator="usb"}'] == 0


def test_a_pipeline_that_stays_blind_is_told_of_after_a_while(bench: Bench) -> None:
    before = counters["accelerator.failed"]
    bench.serve()
    bench.incident("overrun", 1)
    bench.turn(9.9)
    assert counters["accelerator.failed"] == before
    bench.turn(0.2)
    assert counters["accelerator.failed"] == before + 1


def test_after_garbage_the_results_since_the_last_good_check_are_suspect(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.serve()
    bench.turn(30)
    bench.incident("garbage", 1, good_ns=1_010_000_000_000)
    [line] = [one.getMessage() for one in caplog.records if "suspect" in one.getMessage()]
    assert "usb pipeline=door from_ns=1010000000000 to_ns=1030000000000" in line


def test_a_late_word_of_a_former_process_does_not_end_the_next_one(make: Callable[..., Bench]) -> None:
    bench = make("usb", door="auto", yard="auto")
    bench.serve("door", "yard")
    bench.incident("died", 1)
    bench.tpu().die(-11)
    bench.turn()
    bench.tpu().opened()
    bench.turn()
    bench.incident("died", 2, "yard")
    assert bench.state() is State.PROBATION
    assert bench.all.owners["usb"].incidents == {"died": 1}


def test_what_is_wrong_with_a_model_that_has_worked_there_is_the_accelerators(bench: Bench) -> None:
    bench.serve()
    bench.incident("died", 1)
    bench.tpu().die(-11)
    bench.turn()
    bench.tpu().opened()
    bench.turn()
    suspect = counters["accelerator.suspect"]
    bench.incident("garbage", 2)  # at its golden answers, before a frame went there
    assert (bench.state(), bench.all.owners["usb"].ladder.climbed) == (State.CLOSING, 2)
    assert counters["accelerator.suspect"] == suspect


def test_a_model_that_goes_on_failing_there_is_tried_less_and_less_often(bench: Bench) -> None:
    bench.begin()
    waits = []
    for generation in range(1, 5):
        bench.tpu().opened()
        bench.turn()
        bench.incident("load", generation)
        bench.tpu().die(0)
        bench.turn()
        began = bench.clock.now
        while bench.state() is State.OFF:
            bench.turn(1)
        waits.append(bench.clock.now - began)
    assert waits == [30, 60, 120, 240]
    bench.tpu().opened()
    bench.turn()
    bench.says("door", "accelerated", 5, delegate="usb", delegated=[7, 7], goldens=3)
    assert bench.delegate() == "usb"


def test_while_a_worker_may_have_an_accelerator_nothing_is_learned_of_its_twin(bench: Bench) -> None:
    bench.begin()
    run = bench.lanes["door"].run
    assert run is not None
    assert run.usual is run.learned
    bench.tpu().opened()
    bench.turn()
    assert run.usual is None
    bench.accelerated()
    bench.says("door", "relieved", 1, reason="busy")
    assert run.usual is None
    bench.says("door", "accelerated", 1, delegate="usb", delegated=[7, 7], goldens=3)
    bench.incident("died", 1)
    assert run.usual is run.learned


def test_the_loss_of_an_older_connection_says_nothing_of_the_newer_one(bench: Bench) -> None:
    bench.serve()
    run = bench.lanes["door"].run
    assert run is not None
    bench.all.borrowers["door"].held = None
    bench.turn()
    assert max(run.lent) == 2
    bench.incident("died", 1)
    assert run.usual is None


def test_a_worker_that_names_another_accelerator_than_it_was_lent_is_killed(bench: Bench) -> None:
    bench.serve()
    bench.incident("overrun", 1, on="pci")
    assert bench.worker().signals == [signal.SIGKILL]


def test_only_the_last_connections_are_remembered(bench: Bench) -> None:
    bench.serve()
    run = bench.lanes["door"].run
    assert run is not None
    for generation in range(2, 60):
        run.lend(Lend(accelerator="usb", generation=generation))
    assert len(run.lent) == 16
    assert min(run.lent) == 44
