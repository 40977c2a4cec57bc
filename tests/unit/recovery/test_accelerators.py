"""Accelerators and the pipelines that use them: who gets what, and what an incident means to the others."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

import pytest

from agent.events import counters
from agent.ledger import Ledger
from agent.recovery.ladder import CURED_FRAMES, CURED_S, State
from agent.types import Phase
from agent.workers import messages
from tests.simulators.puppet_accelerator import Bench
from tests.simulators.puppet_worker import READY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

TERM, KILL = signal.SIGTERM, signal.SIGKILL


@pytest.fixture
def make() -> Iterator[Any]:
    made: list[Bench] = []

    def one(*kinds: str, **pipelines: str) -> Bench:
        made.append(Bench(kinds or ("usb",), **pipelines))
        return made[-1]

    yield one
    for bench in made:
        bench.bury()


@pytest.fixture
def bench(make: Callable[..., Bench]) -> Bench:
    return make()


def state(bench: Bench, name: str = "usb") -> State:
    return bench.all.owners[name].state


def delegate(bench: Bench, name: str = "door") -> str:
    ready = bench.lanes[name].ready
    assert ready is not None
    return ready.delegate


def told(bench: Bench, name: str = "door") -> list[dict[str, Any]]:
    return bench.worker(name).heard()


def test_an_accelerator_is_opened_for_a_pipeline_and_lent_to_its_worker(bench: Bench) -> None:
    bench.begin()
    assert state(bench) is State.OPENING
    assert told(bench) == []
    bench.tpu().opened()
    bench.turn()
    assert bench.tpu().heard() == [{"type": "connect", "pipeline": "door", "with": 1}]
    [lent] = told(bench)
    assert (lent["type"], lent["accelerator"], lent["kind"], lent["generation"]) == (
        "accelerate", "usb", "external", 1,
    )  # fmt: skip
    assert lent["limits"]["invoke_s"] == 2
    bench.says("door", "accelerated", 1, delegate="usb", delegated=[7, 7], goldens=3)
    assert delegate(bench) == "usb"
    assert bench.all.standing("door") == {"accelerator": "usb", "twin": False}


def test_where_nobody_wants_an_accelerator_none_is_opened(make: Callable[..., Bench]) -> None:
    bench = make("usb", door="cpu")
    bench.begin()
    assert bench.all.owners == {}
    assert bench.all.standing("door") == {"accelerator": None, "twin": False}


def test_the_profiles_cpu_ends_the_list_and_a_name_picks_one(make: Callable[..., Bench]) -> None:
    bench = make("usb", "pci", "cpu", "gpu", door="auto", yard="gpu", gate="pci")
    orders = {name: one.order for name, one in bench.all.borrowers.items()}
    assert orders == {"door": ("usb", "pci"), "yard": ("gpu",), "gate": ("pci",)}


@pytest.mark.parametrize("kind", ["overrun", "died", "refused", "garbage"])
def test_an_incident_ends_the_process_at_once_and_a_new_one_serves(bench: Bench, kind: str) -> None:
    bench.serve()
    first = bench.tpu()
    bench.incident(kind, 1)
    assert delegate(bench) == "cpu"
    assert state(bench) is State.CLOSING
    assert first.signals == [TERM]
    assert told(bench) == [{"type": "relieve", "generation": 1}]
    assert bench.all.standing("door") == {"accelerator": None, "twin": True}
    first.die(-TERM)
    bench.turn()
    assert state(bench) is State.REOPENING
    bench.tpu().opened()
    bench.turn()
    assert state(bench) is State.PROBATION
    assert bench.accelerated() == 2
    assert delegate(bench) == "usb"
    assert bench.all.owners["usb"].incidents == {kind: 1}


def test_one_that_does_not_die_is_killed_and_then_given_up(bench: Bench) -> None:
    bench.serve()
    bench.incident("overrun", 1)
    bench.turn(0.2)
    assert bench.tpu().signals == [TERM]
    bench.turn(0.1)
    assert bench.tpu().signals == [TERM, KILL]
    bench.turn(5.1)
    assert state(bench) is State.STUCK
    bench.turn(4000)
    assert len(bench.born["usb"]) == 1
    bench.tpu().die(-KILL)
    bench.turn()
    assert state(bench) is State.RESTING


def test_the_ladder_goes_on_to_a_reset_and_then_to_a_rest(bench: Bench) -> None:
    bench.serve()
    bench.incident("refused", 1)
    for generation in (2, 3):
        bench.tpu().die(-TERM)
        bench.turn()
        if bench.resets and bench.resets[-1].code is None:
            assert state(bench) is State.RESETTING
            bench.resets[-1].die(0)
            bench.turn()
        bench.tpu().opened()
        bench.turn()
        assert bench.accelerated() == generation
        bench.incident("refused", generation)
    bench.tpu().die(-TERM)
    bench.turn()
    assert (state(bench), len(bench.resets), len(bench.born["usb"])) == (State.RESTING, 1, 3)
    [status] = bench.all.status(bench.clock.now)
    assert (status["rung"], status["next_try_s"], status["restarts"]) == (3, 30.0, 2)
    bench.turn(30.1)
    assert state(bench) is State.REOPENING


def test_frames_and_time_cure_it(bench: Bench) -> None:
    bench.serve()
    bench.incident("died", 1)
    bench.tpu().die(-11)
    bench.turn()
    bench.tpu().opened()
    bench.turn()
    bench.accelerated()
    record = messages.Record(frame=1, captured_ns=1, kind="k", items=[])
    failed = record.model_copy(update={"kind": "failed"})
    bench.all.saw("door", [failed] * CURED_FRAMES)
    bench.turn(CURED_S)
    assert state(bench) is State.PROBATION
    bench.all.saw("door", [record] * CURED_FRAMES)
    bench.turn()
    assert state(bench) is State.SERVING
    assert bench.all.owners["usb"].problem == "ended by SIGSEGV"


def test_a_native_call_that_hangs_the_process_is_seen_on_its_page(bench: Bench) -> None:
    bench.serve()
    bench.tpu().beat(Phase.INVOKE, bench.clock.now)
    bench.turn(2.9)
    assert state(bench) is State.SERVING
    bench.turn(0.2)
    assert (state(bench), bench.tpu().signals) == (State.CLOSING, [TERM])
    assert bench.all.owners["usb"].problem == "it hung in invoke for 3.1 s"


@pytest.mark.parametrize(("phase", "limit"), [(Phase.START, 30.0), (Phase.LOAD, 5.0)])
def test_one_that_hangs_before_it_is_open_is_ended_too(bench: Bench, phase: Phase, limit: float) -> None:
    bench.begin()
    bench.tpu().beat(phase, bench.clock.now)
    bench.turn(limit - 0.1)
    assert state(bench) is State.OPENING
    bench.turn(0.2)
    assert state(bench) is State.CLOSING


def test_all_pipelines_of_a_process_are_told_to_let_go_and_get_the_next_one(
    make: Callable[..., Bench],
) -> None:
    bench = make("usb", door="auto", yard="auto")
    bench.serve("door", "yard")
    told(bench)
    told(bench, "yard")
    bench.incident("overrun", 1)
    assert told(bench) == [{"type": "relieve", "generation": 1}]
    assert told(bench, "yard") == [{"type": "relieve", "generation": 2}]
    bench.incident("died", 2, "yard")
    assert bench.all.owners["usb"].incidents == {"overrun": 1}
    bench.tpu().die(-TERM)
    bench.turn()
    bench.tpu().opened()
    bench.turn()
    assert {bench.accelerated("door"), bench.accelerated("yard")} == {3, 4}


def test_a_new_worker_gets_a_connection_of_its_own(bench: Bench) -> None:
    bench.serve()
    bench.worker().die(-11)
    bench.lanes["door"].receive()
    bench.lanes["door"].reap(bench.clock.now)
    bench.turn(1)
    bench.worker().ready(live=True)
    bench.turn()
    bench.turn()
    assert bench.accelerated() == 2
    assert state(bench) is State.SERVING
    assert len(bench.born["usb"]) == 1


def test_the_next_one_of_the_list_serves_while_the_first_is_not_there(make: Callable[..., Bench]) -> None:
    bench = make("usb", "pci", door="auto")
    bench.begin()
    assert bench.born.keys() == {"usb"}
    bench.tpu().fault("DelegateLost", "no device")
    bench.turn()
    assert (state(bench), state(bench, "pci")) == (State.RESTING, State.OPENING)
    bench.tpu("pci").opened()
    bench.turn()
    bench.accelerated(on="pci")
    bench.turn(30.1)  # somebody has plugged it in
    bench.tpu().opened()
    bench.turn()
    bench.accelerated(on="usb")
    bench.turn()
    assert bench.tpu("pci").heard()[-1] == {"type": "stop"}
    bench.tpu("pci").die(0)
    bench.turn()
    assert (state(bench), state(bench, "pci")) == (State.PROBATION, State.OFF)


def test_what_is_not_there_is_told_once_and_is_no_incident_of_a_pipeline(bench: Bench) -> None:
    before = counters["accelerator.absent"], counters["accelerator.failed"]
    bench.begin()
    for _ in range(3):
        bench.tpu().fault("DelegateLost", "no device")
        bench.turn()
        bench.turn(400)
    assert (counters["accelerator.absent"] - before[0], counters["accelerator.failed"]) == (1, before[1])


def test_a_wrong_option_is_told_and_not_tried_again_for_an_hour(bench: Bench) -> None:
    bench.begin()
    bench.tpu().fault("ConfigInvalid", "library: Field required", code=78)
    bench.turn(3599)
    assert (state(bench), len(bench.born["usb"])) == (State.RESTING, 1)


def test_a_machine_that_starts_no_process_costs_rests_only(bench: Bench) -> None:
    bench.broken = True
    bench.begin()
    assert bench.resets
    bench.resets[-1].die(0)
    bench.turn()
    assert state(bench) is State.RESTING


@pytest.mark.parametrize("kind", ["load", "garbage", "refused"])
def test_a_model_that_never_worked_there_harms_nobody_else(make: Callable[..., Bench], kind: str) -> None:
    bench = make("usb", door="auto", yard="auto")
    bench.serve("door")
    bench.begin("yard")
    told(bench, "yard")
    bench.incident(kind, 2, "yard")
    assert state(bench) is State.SERVING
    assert (delegate(bench), delegate(bench, "yard")) == ("usb", "cpu")
    bench.turn(29)
    assert [one["type"] for one in told(bench, "yard")] == ["relieve"]
    bench.turn(2)
    assert [one["generation"] for one in told(bench, "yard")] == [3]


def test_a_model_that_does_not_run_there_waits_for_the_next_model(bench: Bench) -> None:
    bench.begin()
    bench.tpu().opened()
    bench.turn()
    bench.says("door", "relieved", 1, reason="unfit", problem="no variant")
    told(bench)
    bench.turn(10)
    assert told(bench) == []
    assert state(bench) is State.CLOSING
    lane = bench.lanes["door"]
    assert lane.swap("/m/2", "ef" * 32, 7)
    swapped = {**READY, "type": "swapped", "token": 7, "sha256": "cd" * 32}
    bench.worker().say(swapped)
    bench.turn()
    bench.tpu().die(0)
    bench.turn()
    bench.turn()
    bench.tpu().opened()
    bench.turn()
    assert bench.accelerated() == 2


def test_after_a_swap_frames_are_the_twins_until_the_new_model_is_there(bench: Bench) -> None:
    bench.serve()
    assert bench.lanes["door"].swap("/m/2", "ef" * 32, 7)
    bench.worker().say({**READY, "type": "swapped", "token": 7, "sha256": "cd" * 32})
    bench.turn()
    assert delegate(bench) == "cpu"
    assert bench.all.standing("door")["twin"]
    bench.incident("load", 1)  # the new model does not load there: that is its own affair
    assert bench.all.owners["usb"].ladder.climbed == 0
    assert bench.tpu().heard()[-1] == {"type": "stop"}  # nobody uses it any more


def test_an_accelerator_that_loads_anothers_model_is_no_incident(bench: Bench) -> None:
    bench.serve()
    bench.says("door", "relieved", 1, reason="busy")
    assert delegate(bench) == "cpu"
    bench.says("door", "accelerated", 1, delegate="usb", delegated=[7, 7], goldens=3)
    assert delegate(bench) == "usb"
    assert state(bench) is State.SERVING


def test_a_worker_that_speaks_of_what_it_was_not_lent_is_killed(bench: Bench) -> None:
    bench.serve()
    bench.incident("overrun", 9)
    assert bench.worker().signals == [KILL]
    assert state(bench) is State.SERVING


def test_a_process_that_breaks_the_protocol_is_ended(bench: Bench) -> None:
    bench.serve()
    bench.tpu().say(b'{"type": "hello"}')
    bench.turn()
    assert (state(bench), bench.tpu().signals) == (State.CLOSING, [TERM])


def test_a_process_that_writes_over_its_page_is_ended(bench: Bench) -> None:
    bench.serve()
    bench.tpu().page._words[1] = 200 << 56
    bench.turn()
    assert (state(bench), bench.tpu().signals) == (State.CLOSING, [TERM])


def test_a_process_that_falls_silent_is_ended(bench: Bench) -> None:
    bench.serve()
    bench.tpu().end.close()
    bench.turn()
    bench.turn()
    assert bench.tpu().signals == []
    bench.turn(0.3)
    assert (state(bench), bench.tpu().signals) == (State.CLOSING, [TERM])


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
    assert delegate(bench) == "usb"
    assert [one.frame for one in lane.receive()] == [1]
    assert delegate(bench) == "cpu"


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


def test_a_proof_is_lent_what_serves_its_pipeline(bench: Bench) -> None:
    assert bench.all.lend("door") is None
    bench.serve()
    lent = bench.all.lend("door")
    assert lent is not None
    with lent[1]:
        assert (lent[0].accelerator, lent[0].generation) == ("usb", 2)


def test_the_end_of_all_workers_ends_the_processes(bench: Bench) -> None:
    bench.serve()
    assert bench.all.pids() == {bench.tpu().pid}
    assert not bench.all.idle
    bench.lanes["door"].stop(bench.clock.now)
    bench.worker().die(0)
    bench.lanes["door"].reap(bench.clock.now)
    bench.turn()
    assert bench.tpu().heard()[-1] == {"type": "stop"}
    bench.tpu().die(0)
    bench.turn()
    assert bench.all.idle


def test_a_process_that_does_not_stop_is_killed(bench: Bench) -> None:
    bench.serve()
    bench.lanes["door"].stop(bench.clock.now)
    bench.worker().die(0)
    bench.lanes["door"].reap(bench.clock.now)
    bench.turn()
    bench.turn(2.1)
    bench.turn(0.3)
    assert bench.tpu().signals == [TERM, KILL]
    bench.turn(5.1)
    assert state(bench) is State.STUCK
    assert bench.all.idle


def test_a_reset_that_hangs_is_killed_and_then_given_up(bench: Bench) -> None:
    bench.serve()
    bench.incident("refused", 1)
    bench.tpu().die(-TERM)
    bench.turn()
    bench.tpu().fault("AgentError", "x")
    bench.turn()
    assert state(bench) is State.RESETTING
    bench.turn(10.1)
    assert bench.resets[-1].signals == [KILL]
    bench.turn(5.1)
    assert state(bench) is State.STUCK
    bench.resets[-1].die(-KILL)
    bench.turn()
    assert state(bench) is State.RESTING
