"""How long an inference may take is learned of those before it, and forgotten when something else runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.config.tables import Deadlines
from agent.histogram import Histogram
from agent.types import Phase
from agent.workers.judging import Judge, Learned
from agent.workers.messages import Timing, Timings
from agent.workers.policy import State
from tests.simulators.lane_stage import Stage
from tests.simulators.puppet_worker import READY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def timings(*seconds: float) -> Timings:
    one = Histogram()
    for each in seconds:
        one.add(int(each * 1e9))
    told = Timing(buckets=list(one.buckets.items()), sum_us=one.sum_us, max_us=one.max_us)
    return Timings(stages={"infer": told})


def learned(*seconds: float) -> Learned:
    """What is known after a first message, which does not count, and one with these."""
    found = Learned()
    found.take([timings(9.0), timings(*seconds)])
    return found


@pytest.mark.parametrize(
    ("seconds", "frames", "limit"),
    [(0.001, 99, 10), (0.001, 100, 0.5), (0.1, 100, 1.0), (2.0, 100, 10), (0.06, 100, 0.6)],
)
def test_ten_times_the_99th_percentile_within_bounds(seconds: float, frames: int, limit: float) -> None:
    found = Judge(Deadlines()).invoke_s(learned(*[seconds] * frames))
    assert found == pytest.approx(limit, rel=0.02)


def test_with_learning_switched_off_the_configured_limit_holds() -> None:
    assert Judge(Deadlines(learn=False)).invoke_s(learned(*[0.001] * 1000)) == 10


def test_what_a_worker_tells_right_after_a_change_is_of_both_and_teaches_nothing() -> None:
    found = learned(*[0.001] * 1000)
    found.forget()
    assert found.usual_s is None
    found.take([timings(*[0.001] * 1000)])
    assert found.usual_s is None
    found.take([timings(*[0.3] * 100)])
    assert found.usual_s == pytest.approx(0.3, rel=0.02)


@given(st.lists(st.lists(st.integers(1, 3_000_000), min_size=1, max_size=60), max_size=60))
def test_the_last_500_frames_count_and_nothing_older_than_1100(told: Sequence[Sequence[int]]) -> None:
    found = Learned()
    found.take([timings(9.0)])
    seen: list[float] = []
    for message in told:
        seconds = [us / 1e6 for us in message]
        found.take([timings(*seconds)])
        seen += seconds
    if len(seen) < 100:
        assert found.usual_s is None
        return
    assert found.usual_s is not None
    assert found.usual_s <= max(seen[-1100:]) * 1.02
    over = sum(one > found.usual_s * 1.02 for one in seen[-500:])
    assert over <= 0.01 * min(len(seen), 1100) + 1


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.spawner.bury()


def teach(stage: Stage, seconds: float = 0.001) -> None:
    """Have the lane's worker tell of many frames."""
    for _ in range(2):
        stage.worker.say(timings(*[seconds] * 200).model_dump_json().encode())
    stage.lane.receive()


def test_a_hung_model_is_ended_by_its_learned_deadline_at_the_second_look(stage: Stage) -> None:
    stage.start(live=True)
    teach(stage)
    stage.hang(Phase.WAIT, Phase.INVOKE)
    stage.wait(0.4)
    stage.wait(0.2)
    assert stage.state() is State.RUNNING
    stage.wait(0.25)
    assert stage.state() is State.KILLING


def test_a_machine_that_stood_still_is_no_hang(stage: Stage) -> None:
    stage.start(live=True)
    teach(stage)
    stage.hang(Phase.WAIT, Phase.INVOKE)
    stage.wait(1.5)  # nobody ran, neither the worker nor we
    stage.hang(Phase.WAIT, Phase.INVOKE)
    stage.wait(0.25)
    assert stage.state() is State.RUNNING


def test_two_looks_that_come_close_together_count_as_one(stage: Stage) -> None:
    stage.start(live=True)
    teach(stage)
    stage.hang(Phase.WAIT, Phase.INVOKE)
    stage.wait(0.6)
    stage.wait(0.1)
    assert stage.state() is State.RUNNING
    stage.wait(0.11)
    assert stage.state() is State.KILLING


def test_two_slow_frames_one_after_the_other_are_no_hang(stage: Stage) -> None:
    stage.start(live=True)
    teach(stage)
    for _ in range(4):
        stage.hang(Phase.WAIT, Phase.INVOKE)
        stage.wait(0.6)
    assert stage.state() is State.RUNNING


@pytest.mark.parametrize("capture", [Phase.PREPROCESS, Phase.CAPTURE])
def test_what_is_learned_of_inference_holds_for_nothing_else(stage: Stage, capture: Phase) -> None:
    stage.start(live=True)
    teach(stage)
    stage.hang(capture, Phase.DECODE)
    for _ in range(4):
        stage.wait(0.4)
    assert stage.state() is State.RUNNING


def test_another_model_has_to_be_learned_anew(stage: Stage) -> None:
    stage.start(live=True)
    teach(stage)
    assert stage.lane.swap("/m/2", "ef" * 32, 7)
    stage.worker.say({**READY, "type": "swapped", "token": 7})
    stage.lane.receive()
    stage.hang(Phase.WAIT, Phase.INVOKE)
    for _ in range(4):
        stage.wait(0.4)
    assert stage.state() is State.RUNNING
    stage.wait(0.5)
    assert stage.state() is State.KILLING
