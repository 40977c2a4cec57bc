"""Which pipeline gets which accelerator, and when."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from agent.boards.accelerators import Accelerator
from agent.recovery.accelerators import _spec
from agent.recovery.ladder import State
from agent.workers.spec import LaneSpec
from tests.simulators.puppet_worker import READY

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.simulators.puppet_accelerator import Bench

TERM, KILL = signal.SIGTERM, signal.SIGKILL


def test_an_accelerator_is_opened_for_a_pipeline_and_lent_to_its_worker(bench: Bench) -> None:
    bench.begin()
    assert bench.state() is State.OPENING
    assert bench.told() == []
    bench.tpu().opened()
    bench.turn()
    assert bench.tpu().heard() == [{"type": "connect", "pipeline": "door", "with": 1}]
    [lent] = bench.told()
    assert (lent["type"], lent["accelerator"], lent["generation"]) == ("accelerate", "usb", 1)
    assert lent["limits"]["invoke_s"] == 2
    bench.says("door", "accelerated", 1, delegate="usb", delegated=[7, 7], goldens=3)
    assert bench.delegate() == "usb"
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


def test_all_pipelines_of_a_process_are_told_to_let_go_and_get_the_next_one(
    make: Callable[..., Bench],
) -> None:
    bench = make("usb", door="auto", yard="auto")
    bench.serve("door", "yard")
    bench.told()
    bench.told("yard")
    bench.incident("overrun", 1)
    assert bench.told() == [{"type": "relieve", "generation": 1}]
    assert bench.told("yard") == [{"type": "relieve", "generation": 2}]
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
    assert bench.state() is State.SERVING
    assert len(bench.born["usb"]) == 1


def test_the_next_one_of_the_list_serves_while_the_first_is_not_there(make: Callable[..., Bench]) -> None:
    bench = make("usb", "pci", door="auto")
    bench.begin()
    assert bench.born.keys() == {"usb"}
    bench.tpu().fault("DelegateLost", "no device")
    bench.turn()
    assert (bench.state(), bench.state("pci")) == (State.RESTING, State.OPENING)
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
    assert (bench.state(), bench.state("pci")) == (State.PROBATION, State.OFF)


def test_a_model_that_does_not_run_there_waits_for_the_next_model(bench: Bench) -> None:
    bench.begin()
    bench.tpu().opened()
    bench.turn()
    bench.says("door", "relieved", 1, reason="unfit", problem="no variant")
    bench.told()
    bench.turn(10)
    assert bench.told() == []
    assert bench.state() is State.CLOSING
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
    assert bench.delegate() == "cpu"
    assert bench.all.standing("door")["twin"]
    bench.incident("load", 1)  # the new model does not load there: that is its own affair
    assert bench.all.owners["usb"].ladder.climbed == 0
    assert bench.tpu().heard()[-1] == {"type": "stop"}  # nobody uses it any more


def test_a_worker_that_speaks_of_what_it_was_not_lent_is_killed(bench: Bench) -> None:
    bench.serve()
    bench.incident("overrun", 9)
    assert bench.worker().signals == [KILL]
    assert bench.state() is State.SERVING


def test_a_proof_is_lent_what_serves_its_pipeline(bench: Bench) -> None:
    assert bench.all.lend("door") is None
    bench.serve()
    lent = bench.all.lend("door")
    assert lent is not None
    with lent[1]:
        assert (lent[0].accelerator, lent[0].generation) == ("usb", 2)


def test_what_serves_goes_on_serving_while_a_better_one_is_opened(make: Callable[..., Bench]) -> None:
    bench = make("usb", "pci", door="auto")
    bench.begin()
    bench.tpu().fault("DelegateLost", "no device")
    bench.turn()
    bench.tpu("pci").opened()
    bench.turn()
    bench.accelerated(on="pci")
    bench.turn(30.1)
    bench.turn(1)
    assert (bench.state("usb"), bench.state("pci")) == (State.REOPENING, State.SERVING)
    assert bench.delegate() == "pci"


def test_a_pipeline_with_a_wrong_runtime_is_its_workers_to_refuse() -> None:
    spec = LaneSpec(pipeline="door", model="m", source="video", backend_options={"runtime": "torch"})
    assert _spec(Accelerator(kind="gpu"), [spec]).runtime == "auto"
    spec = LaneSpec(pipeline="door", model="m", source="video", backend_options={"runtime": "tflite-runtime"})
    assert _spec(Accelerator(kind="gpu"), [spec]).runtime == "tflite-runtime"


def test_a_model_that_brings_an_accelerator_down_is_kept_from_the_others_that_it_works_for(
    make: Callable[..., Bench],
) -> None:
    bench = make("usb", door="auto", yard="auto")
    bench.serve("door")
    bench.begin("yard")
    bench.turn()
    [lent] = [one for one in bench.told("yard") if one["type"] == "accelerate"]
    bench.says("yard", "incident", lent["generation"], kind="died", problem="died!", twin=True)
    bench.incident("died", 1, "door")
    bench.tpu().die(-11)
    bench.turn()
    bench.tpu().opened()
    bench.turn()
    bench.accelerated("door")
    assert not [one for one in bench.told("yard") if one["type"] == "accelerate"]
    bench.turn(30.1)
    assert [one for one in bench.told("yard") if one["type"] == "accelerate"]
