"""A device alone with its disk: it serves the last good model, and falls back when that is damaged."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from agent.cli.device.commanding import carried_out, done
from agent.errors import AgentError
from agent.supervision.control import ask
from tests.simulators.moody_bundles import bundle
from tests.simulators.operator import moody_program, settle
from tests.simulators.running_agent import RunningAgent
from tests.simulators.tuf_fleet import TufFleet

if TYPE_CHECKING:
    from pathlib import Path

PIPELINE = """backend = { kind = "moody" }
source = { kind = "synthetic", width = 64, height = 64, fps = 100 }"""
MODELS = '[models]\nroot = "1.root.json"\n'


@pytest.fixture
def program(tmp_path: Path) -> list[str]:
    (tmp_path / "1.root.json").write_bytes(TufFleet().root)
    return moody_program(tmp_path)


def device(folder: Path, program: list[str], model: str = "") -> RunningAgent:
    made = RunningAgent(folder, PIPELINE, MODELS, model=model)
    made.program = program
    return made


def told(agent: RunningAgent) -> dict[str, Any]:
    found: dict[str, Any] = ask(agent.control, {"op": "models"})["pipelines"]["door"]
    return found


def roll_back(agent: RunningAgent, pipeline: str) -> None:
    done(carried_out(agent.control, "rollback", {"pipeline": pipeline}, 30))


def test_an_agent_boots_its_last_good_model_from_its_disk_alone(tmp_path: Path, program: list[str]) -> None:
    settle(tmp_path / "data", active=2, previous=1)
    with device(tmp_path, program) as agent:
        assert agent.until_inferred()["model"] == "two@1"
        assert agent.end() == 0
    assert "two@1" in {record["model"] for record in agent.stored()[0] if record["kind"] == "tensor"}


def test_a_rollback_by_hand_goes_back_between_two_frames(tmp_path: Path, program: list[str]) -> None:
    settle(tmp_path / "data", active=2, previous=1)
    with device(tmp_path, program) as agent:
        pid = agent.until_inferred()["pid"]
        roll_back(agent, "door")
        assert agent.until(lambda one: one["model"] == "one@1")["pid"] == pid
        with pytest.raises(AgentError, match="no model to go back to"):
            roll_back(agent, "door")
        with pytest.raises(AgentError, match="no such pipeline"):
            roll_back(agent, "window")


def test_an_active_model_with_damaged_files_falls_back_to_the_one_before(
    tmp_path: Path, program: list[str]
) -> None:
    found = settle(tmp_path / "data", active=2, previous=1)
    path = tmp_path / "data" / "models" / "bundles" / found["active"] / "m.tflite"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with device(tmp_path, program) as agent:
        assert agent.until_inferred()["model"] == "one@1"
        assert told(agent)["slots"].keys() == {"active"}
    assert "model.lost" in agent.log


@pytest.mark.parametrize("lost", ["bundles", "state"])
def test_without_bundles_or_state_the_configured_model_serves(
    tmp_path: Path, program: list[str], lost: str
) -> None:
    settle(tmp_path / "data", active=2, previous=1)
    configured, _ = bundle(tmp_path / "configured", "three", None, value=3)
    if lost == "bundles":
        shutil.rmtree(tmp_path / "data" / "models" / "bundles")
    else:
        (tmp_path / "data" / "state.db").write_bytes(b"damaged" * 1000)
    with device(tmp_path, program, configured) as agent:
        assert agent.until_inferred()["model"] == "three@1"


def test_a_pipeline_without_any_model_waits_and_the_agent_says_so(tmp_path: Path, program: list[str]) -> None:
    with device(tmp_path, program) as agent:
        pipeline = agent.until(lambda one: one["state"] == "stopped")
        assert pipeline["model"] is None
        assert told(agent)["state"] == "idle"
        assert agent.end() == 0
