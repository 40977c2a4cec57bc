"""The demo's operator with real tools and a real broker; the test says what the device says."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from agent.demo.broker import Broker
from agent.demo.programs import Programs
from agent.demo.rollouts import Rollouts
from agent.fleet.keys import make_keys

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Stage:
    """An operator without a device."""

    def __init__(self, folder: Path) -> None:
        self.broker = Broker(folder / "broker")
        self.programs = Programs(folder)
        self.rollouts = Rollouts(folder, self.programs, self.broker, "demo", "gate", "door")

    def until(self, words: str) -> None:
        """Let it go on until it says this, or has ended."""
        give_up = time.monotonic() + 40
        while words not in self.rollouts.said and self.rollouts.busy:
            assert time.monotonic() < give_up, self.rollouts.said
            self.look()
            time.sleep(0.02)
        assert words in self.rollouts.said

    def deployed(self) -> None:
        """Let it go on until it waits for the device."""
        self.until("signs that this device shall run it")
        give_up = time.monotonic() + 40
        while self.programs.code("deploy") is None:
            assert time.monotonic() < give_up
            time.sleep(0.02)

    def look(self, state: str = "", version: str = "", reason: str = "") -> None:
        """Let it see a status, in which the pipeline is about to run what is wanted, or nothing is wanted."""
        wants: dict[str, Any] = {"state": state, "generation": 9, "reason": reason}
        wants["wanted"] = {"name": "shapes", "version": version}
        one = {"model": "shapes@0.9.0", "wants": wants if state else None}
        self.rollouts.look({"pipelines": [one]})


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.programs.kill()
    made.broker.stop()


def test_without_a_broker_nothing_is_begun_and_a_tool_that_fails_is_told(stage: Stage) -> None:
    assert stage.rollouts.improve() == "the broker is cut: bring it back first"
    stage.broker.start()
    stage.rollouts.improve()
    stage.until("run publish: edgectl: open repository")
    assert not stage.rollouts.busy
    assert stage.rollouts.outcomes == {"rolled out": False}


def test_what_the_device_refuses_is_no_roll_out_and_what_it_takes_is_no_refusal(
    stage: Stage, tmp_path: Path
) -> None:
    make_keys(tmp_path / "keys", ["gate"])
    with stage.rollouts.making_keys():
        stage.broker.start()
    stage.rollouts.improve()
    stage.deployed()
    stage.look("rejected", "1.0.0", "golden: other answers")
    assert stage.rollouts.said == "shapes@1.0.0: rejected: golden: other answers"
    stage.rollouts.tamper()
    stage.until("an attacker changes one byte")
    stage.until("the operator, unaware, signs")
    stage.deployed()
    stage.look("downloading", "1.0.1", "reach broker: no answer")
    assert stage.rollouts.busy  # that it does not come is no refusal
    stage.look("verified", "1.0.1")
    assert not stage.rollouts.busy
    assert stage.rollouts.outcomes == {"rolled out": False, "refused": False}
    assert stage.rollouts.refusals == []
