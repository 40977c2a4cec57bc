"""What a pipeline's worker is told, with a puppet for a worker."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agent.boards.accelerators import Lend
from agent.governor.hand import Hand, Pace
from agent.governor.relief import Relief
from tests.simulators.lane_stage import Stage
from tests.simulators.puppet_worker import READY

if TYPE_CHECKING:
    from collections.abc import Iterator

HALF, LESS = Relief(0.5), Relief(0.5, threads=1, variant="small")
SMALL = {**READY, "type": "swapped", "sha256": "cd" * 32}


class Theatre(Stage):
    """A stage with a hand."""

    def __init__(self, priority: str = "normal") -> None:
        super().__init__()
        self.hand = Hand(self.lane, priority)

    def go(self, relief: Relief, fps: float = 30.0, seconds: float = 2.0) -> list[dict[str, Any]]:
        """Let time go by; give what the worker has heard."""
        self.wait(seconds)
        self.lane.receive()
        self.hand.tick(self.now, relief, fps)
        return self.worker.heard()

    def accelerate(self) -> None:
        """Lend the worker an accelerator, and have it run there."""
        with Path(os.devnull).open() as nothing:
            assert self.lane.lend(Lend(accelerator="usb", generation=1), nothing.fileno())
        self.worker.heard()
        news = {"accelerator": "usb", "generation": 1, "delegate": "edgetpu", "delegated": [7, 7]}
        self.worker.say({**news, "type": "accelerated", "goldens": 3})


@pytest.fixture
def stage() -> Iterator[Theatre]:
    stage = Theatre()
    stage.start(live=True)
    yield stage
    stage.spawner.bury()


def known(stage: Theatre, fps: float = 30.0) -> None:
    """Let it learn the pipeline's own rate."""
    for _ in range(4):
        assert stage.go(Relief(), fps) == []


def pace(fps: float | None, *, paused: bool = False) -> dict[str, Any]:
    return {"type": "pace", "fps": fps, "paused": paused}


def test_a_pipeline_is_told_a_share_of_its_own_rate_once(stage: Theatre) -> None:
    known(stage)
    assert stage.go(HALF) == [pace(15)]
    assert stage.go(HALF, 15) == []
    assert stage.go(Relief(0.25), 15) == [pace(7.5)]
    assert stage.go(Relief(), 7.5) == [pace(None)]
    assert stage.hand.pace == Pace()


def test_its_own_rate_is_not_measured_while_it_is_held_back_nor_just_after(stage: Theatre) -> None:
    known(stage)
    stage.go(HALF)
    for relief in (Relief(), HALF):
        stage.go(relief, 15)
    assert stage.hand.pace == Pace(15)
    for _ in range(5):
        stage.go(Relief(), 20)
    stage.go(HALF, 20)
    assert stage.hand.pace == Pace(10)


def test_a_pipeline_whose_rate_nobody_knows_is_measured_first(stage: Theatre) -> None:
    assert stage.go(HALF, 0) == []
    assert stage.go(HALF, 30) == [pace(15)]


def test_only_pipelines_of_low_priority_are_paused(stage: Theatre) -> None:
    assert stage.go(Relief(pause=True), 0) == []
    stage.hand = Hand(stage.lane, "low")
    assert stage.go(Relief(pause=True), 0) == [pace(None, paused=True)]
    assert stage.go(Relief(), 0) == [pace(None)]


def test_a_new_worker_is_told_again(stage: Theatre) -> None:
    known(stage)
    stage.go(HALF)
    stage.end(1)
    stage.wait(1)
    assert stage.go(HALF, 0) == []  # it still loads
    stage.worker.ready(live=True)
    assert stage.go(HALF, 0) == [pace(15)]


def test_a_worker_is_asked_for_less_and_then_for_all_of_it_again(stage: Theatre) -> None:
    known(stage)
    [_, asked] = stage.go(LESS)
    assert (asked["type"], asked["threads"], asked["variant"]) == ("ease", 1, "small")
    assert stage.go(LESS) == []
    stage.worker.say({**SMALL, "token": asked["token"]})
    assert stage.go(LESS) == []
    [back] = stage.go(HALF)
    assert (back["threads"], back["variant"]) == (0, "")
    assert stage.lane.take_replies() == []


def test_what_served_before_leaves_the_memory_where_that_is_scarce(stage: Theatre) -> None:
    stage.hand.tick(stage.now, Relief(variant="small"), 30)
    [asked] = stage.worker.heard()
    stage.worker.say({**SMALL, "token": asked["token"]})
    stage.lane.receive()
    stage.hand.tick(stage.now, Relief(variant="small"), 30, settle=True)
    assert stage.worker.heard() == [{"type": "settle"}]


def test_a_worker_that_refuses_is_asked_again_after_a_minute(stage: Theatre) -> None:
    [asked] = stage.go(Relief(threads=1))
    stage.worker.say(
        {
            "type": "unswapped", "token": asked["token"], "error": "BundleRefused", "op": "prove",
            "subject": "glyphs", "problem": "it answers otherwise", "hint": "Pack it again",
        }
    )  # fmt: skip
    assert stage.go(Relief(threads=1)) == []
    assert stage.hand.problem == "it answers otherwise"
    assert stage.go(Relief(threads=1), seconds=50) == []
    [again] = stage.go(Relief(threads=1), seconds=20)
    assert again["token"] > asked["token"]


def test_another_model_that_came_meanwhile_is_asked_too(stage: Theatre) -> None:
    [asked] = stage.go(Relief(threads=1))
    stage.worker.say({**SMALL, "token": asked["token"]})
    stage.go(Relief(threads=1))
    assert stage.lane.swap("/m/2", "", 1)
    stage.worker.heard()
    stage.worker.say({**SMALL, "sha256": "ef" * 32, "token": 1})
    [again] = stage.go(Relief(threads=1))
    assert again["threads"] == 1


def test_what_runs_on_an_accelerator_keeps_its_threads_and_variant(stage: Theatre) -> None:
    known(stage)
    stage.accelerate()
    assert stage.go(LESS) == [pace(15)]


def test_a_pipeline_that_gets_an_accelerator_goes_back_to_the_model_that_was_proved(stage: Theatre) -> None:
    [asked] = stage.go(Relief(variant="small"))
    stage.worker.say({**SMALL, "token": asked["token"]})
    assert stage.go(Relief(variant="small")) == []
    stage.accelerate()
    [back] = stage.go(Relief(variant="small"))
    assert (back["type"], back["variant"]) == ("ease", "")


def test_a_worker_that_takes_no_message_is_told_later(stage: Theatre) -> None:
    known(stage)
    assert stage.lane.run is not None
    while stage.lane.run.process.tell({"type": "settle"}):
        pass
    stage.hand.tick(stage.now, HALF, 30)
    assert stage.hand.pace == Pace()
    stage.worker.heard()
    assert stage.go(HALF) == [pace(15)]
