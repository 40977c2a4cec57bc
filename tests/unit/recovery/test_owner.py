"""An accelerator's process: how it is opened and judged, and how it ends."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from agent.events import counters
from agent.recovery.ladder import State
from agent.types import Phase

if TYPE_CHECKING:
    from tests.simulators.puppet_accelerator import Bench

TERM, KILL = signal.SIGTERM, signal.SIGKILL


def test_one_that_does_not_die_is_killed_and_then_given_up(bench: Bench) -> None:
    bench.serve()
    bench.incident("overrun", 1)
    bench.turn(0.2)
    assert bench.tpu().signals == [TERM]
    bench.turn(0.1)
    assert bench.tpu().signals == [TERM, KILL]
    bench.turn(5.1)
    assert bench.state() is State.STUCK
    bench.turn(4000)
    assert len(bench.born["usb"]) == 1
    bench.tpu().die(-KILL)
    bench.turn()
    assert bench.state() is State.RESTING


def test_a_native_call_that_hangs_the_process_is_seen_on_its_page(bench: Bench) -> None:
    bench.serve()
    bench.tpu().beat(Phase.INVOKE, bench.clock.now)
    bench.turn(2.9)
    assert bench.state() is State.SERVING
    bench.turn(0.2)
    assert (bench.state(), bench.tpu().signals) == (State.CLOSING, [TERM])
    assert bench.all.owners["usb"].problem == "it hung in invoke for 3.1 s"


@pytest.mark.parametrize(("phase", "limit"), [(Phase.START, 30.0), (Phase.LOAD, 5.0)])
def test_one_that_hangs_before_it_is_open_is_ended_too(bench: Bench, phase: Phase, limit: float) -> None:
    bench.begin()
    bench.tpu().beat(phase, bench.clock.now)
    bench.turn(limit - 0.1)
    assert bench.state() is State.OPENING
    bench.turn(0.2)
    assert bench.state() is State.CLOSING


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
    assert (bench.state(), len(bench.born["usb"])) == (State.RESTING, 1)


def test_a_machine_that_starts_no_process_costs_rests_only(bench: Bench) -> None:
    bench.broken = True
    bench.begin()
    assert bench.resets
    bench.resets[-1].die(0)
    bench.turn()
    assert bench.state() is State.RESTING


def test_a_process_that_breaks_the_protocol_is_ended(bench: Bench) -> None:
    bench.serve()
    bench.tpu().say(b'{"type": "hello"}')
    bench.turn()
    assert (bench.state(), bench.tpu().signals) == (State.CLOSING, [TERM])


def test_a_process_that_writes_over_its_page_is_ended(bench: Bench) -> None:
    bench.serve()
    bench.tpu().page._words[1] = 200 << 56
    bench.turn()
    assert (bench.state(), bench.tpu().signals) == (State.CLOSING, [TERM])


def test_a_process_that_falls_silent_is_ended(bench: Bench) -> None:
    bench.serve()
    bench.tpu().end.close()
    bench.turn()
    bench.turn()
    assert bench.tpu().signals == []
    bench.turn(0.3)
    assert (bench.state(), bench.tpu().signals) == (State.CLOSING, [TERM])


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
    assert bench.state() is State.STUCK
    assert bench.all.idle


def test_a_reset_that_hangs_is_killed_and_then_given_up(bench: Bench) -> None:
    bench.serve()
    bench.incident("refused", 1)
    bench.tpu().die(-TERM)
    bench.turn()
    bench.tpu().fault("AgentError", "x")
    bench.turn()
    assert bench.state() is State.RESETTING
    bench.turn(10.1)
    assert bench.resets[-1].signals == [KILL]
    bench.turn(5.1)
    assert bench.state() is State.STUCK
    bench.resets[-1].die(-KILL)
    bench.turn()
    assert bench.state() is State.RESTING


def test_a_process_that_opens_twice_is_ended(bench: Bench) -> None:
    bench.serve()
    bench.tpu().opened()
    bench.turn()
    assert (bench.state(), bench.tpu().signals) == (State.CLOSING, [TERM])


def test_what_opens_when_it_is_not_wanted_any_more_is_not_used(bench: Bench) -> None:
    bench.begin()
    bench.lanes["door"].stop(bench.clock.now)
    bench.worker().die(0)
    bench.lanes["door"].reap(bench.clock.now)
    bench.turn()
    bench.tpu().opened()
    bench.turn()
    assert bench.state() is State.CLOSING
    bench.tpu().die(0)
    bench.turn()
    assert bench.state() is State.OFF


def test_a_process_that_says_without_end_why_it_ends_is_ended(bench: Bench) -> None:
    bench.serve()
    fault = b'{"type":"fault","error":"DelegateLost","op":"open","subject":"tpu","problem":"gone"}'
    bench.tpu().say(fault)
    bench.turn()
    assert (bench.state(), bench.tpu().signals) == (State.SERVING, [])
    bench.tpu().say(fault)
    bench.turn()
    assert (bench.state(), bench.tpu().signals) == (State.CLOSING, [TERM])
