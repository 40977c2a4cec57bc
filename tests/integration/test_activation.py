"""A device and its operator, whole: what is deployed is fetched, proved, tried, and serves or does not."""

from __future__ import annotations

import json
import os
import shutil
import signal
from typing import TYPE_CHECKING, Any

import pytest

from agent.control import ask
from agent.documents.desired import Probation
from agent.documents.policy import TARGET as POLICY
from tests.simulators.operator import Operator, moody_program
from tests.simulators.running_agent import RunningAgent, until_gone

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.demo.broker import Broker
    from agent.documents.reported import Serving

pytestmark = pytest.mark.mosquitto

PIPELINE = """backend = { kind = "moody" }
source = { kind = "synthetic", width = 64, height = 64, fps = 100 }"""
MORE = "shutdown_drain_s = 0.0\n"
LONG = Probation(frames=20, seconds=600, failed=0.1, slower=100.0)


def name(model: Serving | None) -> str:
    return model.name if model else ""


@pytest.fixture
def operator(tmp_path: Path, broker: Broker) -> Iterator[Operator]:
    with Operator(tmp_path, broker.port) as made:
        made.add("one", value=1)
        made.add("two", value=2)
        made.publish()
        yield made


def agent(operator: Operator, folder: Path, model: str = "") -> RunningAgent:
    made = RunningAgent(folder, PIPELINE, operator.tables(), model=model)
    made.program = moody_program(folder)
    text = made.config.read_text()
    made.config.write_text(MORE + text)
    return made


@pytest.fixture
def device(tmp_path: Path, operator: Operator) -> RunningAgent:
    return agent(operator, tmp_path)


def told(device: RunningAgent) -> dict[str, Any]:
    found: dict[str, Any] = ask(device.control, {"op": "models"})["pipelines"]["door"]
    return found


def test_a_first_model_comes_and_a_second_one_replaces_it_and_no_frame_is_lost(
    operator: Operator, device: RunningAgent
) -> None:
    with device:
        assert device.until(lambda one: one["state"] == "stopped")["model"] is None
        operator.deploy(door="one")
        assert name(operator.until_state("active").serving) == "one"
        device.until_inferred()
        operator.deploy(door="two")
        standing = operator.until_state("active")
        assert (name(standing.serving), name(standing.previous)) == ("two", "one")
        assert told(device)["slots"].keys() == {"active", "previous"}
        device.until_inferred()
        assert device.end() == 0
    records, ledger = device.stored()
    models = [record["model"] for record in records if record["kind"] == "tensor"]
    changes = [model for n, model in enumerate(models) if n == 0 or model != models[n - 1]]
    assert changes == ["one@1", "two@1"]
    assert (ledger["lost"], ledger["failed"]) == (0, {})


def test_an_agent_boots_its_last_good_model_offline(
    operator: Operator, device: RunningAgent, broker: Broker
) -> None:
    with device:
        operator.deploy(door="one")
        operator.until_state("active")
        device.end(signal.SIGKILL)
    broker.stop()
    with device:
        assert device.until(lambda one: one["state"] == "running")["model"] == "one@1"
        assert told(device)["state"] == "active"


@pytest.mark.parametrize(
    ("behaviour", "state", "reason"),
    [
        ({"load": "fail"}, "verified", "it is in a mood"),
        ({"load": "crash"}, "verified", "SIGSEGV"),
        ({"run": "crash"}, "verified", "SIGSEGV"),
    ],
)
def test_a_model_that_dies_in_its_proof_costs_a_process_and_the_old_one_serves(
    operator: Operator, device: RunningAgent, behaviour: dict[str, str], state: str, reason: str
) -> None:
    operator.add("bad", value=3, **behaviour)
    operator.publish()
    with device:
        operator.deploy(door="one")
        operator.until_state("active")
        worker = device.until(lambda one: one["state"] == "running")["pid"]
        operator.deploy(door="bad")
        standing = operator.until(lambda one: one.state == state and one.strikes == 1)
        assert reason in standing.reason
        assert name(standing.serving) == "one"
        assert device.until_inferred()["pid"] == worker
        assert device.pipeline()["restarts"] == 0


def test_a_tampered_answer_rejects_and_stays_rejected_after_a_restart(
    operator: Operator, device: RunningAgent
) -> None:
    operator.add("odd", manifest={"task": "classification"}, value=3)
    operator.publish()
    with device:
        operator.deploy(door="one")
        operator.until_state("active")
        operator.deploy(door="odd")
        standing = operator.until_state("rejected")
        assert (name(standing.serving), "contract" in standing.reason) == ("one", True), standing.reason
        device.end(signal.SIGKILL)
    with device:
        assert device.until(lambda one: one["state"] == "running")["model"] == "one@1"
        assert told(device)["state"] == "rejected"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV])
def test_a_worker_that_dies_on_trial_serves_the_old_model_again(
    operator: Operator, device: RunningAgent, number: signal.Signals
) -> None:
    with device:
        operator.deploy(door="one")
        operator.until_state("active")
        operator.deploy(LONG, door="two")
        pid = device.until(lambda one: one["model"] == "two@1" and one["state"] == "running")["pid"]
        os.kill(pid, number)
        again = device.until(lambda one: one["pid"] not in {None, pid} and one["state"] == "running")
        assert again["model"] == "one@1"
        standing = operator.until(lambda one: one.strikes == 1)
        assert "the worker died" in standing.reason


def test_an_agent_that_is_killed_while_a_model_is_on_trial_boots_the_old_one(
    operator: Operator, device: RunningAgent
) -> None:
    with device:
        operator.deploy(door="one")
        operator.until_state("active")
        operator.deploy(LONG, door="two")
        device.until(lambda one: one["model"] == "two@1")
        device.end(signal.SIGKILL)
    with device:
        assert device.until(lambda one: one["state"] == "running")["model"] == "one@1"
        found = told(device)
        assert (found["state"], found["strikes"]) == ("verified", 1)
        assert "the agent died" in found["reason"]
        assert device.end() == 0


def test_an_agent_that_is_stopped_while_a_model_is_on_trial_counts_no_strike(
    operator: Operator, device: RunningAgent
) -> None:
    with device:
        operator.deploy(door="one")
        operator.until_state("active")
        operator.deploy(LONG, door="two")
        device.until(lambda one: one["model"] == "two@1")
        assert device.end() == 0
    with device:
        assert device.until(lambda one: one["state"] == "running")["model"] in {"one@1", "two@1"}
        assert told(device)["strikes"] == 0


def test_a_rollback_by_hand_goes_back_between_two_frames(operator: Operator, device: RunningAgent) -> None:
    with device:
        operator.deploy(door="one")
        operator.until_state("active")
        operator.deploy(door="two")
        operator.until_state("active")
        pid = device.pipeline()["pid"]
        ask(device.control, {"op": "model.rollback", "pipeline": "door"})
        assert device.until(lambda one: one["model"] == "one@1")["pid"] == pid
        standing = operator.until_state("rolled_back")
        assert standing.reason == "rolled back by hand"


def test_damaged_files_of_the_active_model_fall_back_and_are_fetched_again(
    operator: Operator, device: RunningAgent
) -> None:
    with device:
        operator.deploy(door="one")
        operator.until_state("active")
        operator.deploy(door="two")
        bundle = operator.until_state("active").serving
        assert bundle
        device.end()
    path = device.data / "models" / "bundles" / bundle.bundle / "m.tflite"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with device:
        assert device.until(lambda one: one["state"] == "running")["model"] in {"one@1", "two@1"}
        device.until(lambda one: one["model"] == "two@1")
        operator.until_state("active")
    assert "model.lost" in device.log


def test_bundles_that_are_gone_leave_the_configured_model(operator: Operator, tmp_path: Path) -> None:
    configured = agent(operator, tmp_path)
    with configured:
        operator.deploy(door="one")
        operator.until_state("active")
        configured.end()
    whole = tmp_path / "whole"
    shutil.copytree(next((configured.data / "models" / "bundles").iterdir()), whole)
    shutil.rmtree(configured.data / "models" / "bundles")
    text = configured.config.read_text()
    configured.config.write_text(text.replace('model = ""', f'model = "{whole}"'))
    with configured:
        assert configured.until(lambda one: one["state"] == "running")["model"] == "one@1"
        operator.until_state("active")


def test_a_policy_refuses_by_name_and_a_model_that_it_forbids_later_goes_on(
    operator: Operator, device: RunningAgent
) -> None:
    with device:
        operator.deploy(door="one")
        operator.until_state("active")
        operator.repository.add_document(POLICY, json.dumps({"v": 1, "names": ["three*"]}).encode())
        operator.publish()
        operator.deploy(door="two")
        standing = operator.until_state("rejected")
        assert "policy.names" in standing.reason
        assert name(standing.serving) == "one"
        assert "model.misaligned" in device.log
        device.until_inferred()


def test_a_proof_that_is_killed_is_a_strike_and_is_made_again(
    operator: Operator, device: RunningAgent
) -> None:
    operator.add("slow", value=3, seconds=0.5)
    operator.publish()
    with device:
        operator.deploy(door="one")
        operator.until_state("active")
        operator.deploy(door="slow")
        operator.until_state("proving")
        worker = device.pipeline()["pid"]
        children = {int(pid) for pid in _children(device.process.pid)} - {worker}
        for pid in children:
            os.kill(pid, signal.SIGKILL)
            until_gone(pid)
        standing = operator.until(lambda one: one.strikes == 1)
        assert "SIGKILL" in standing.reason
        assert device.until_inferred()["pid"] == worker


def _children(pid: int) -> list[str]:
    from pathlib import Path

    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
