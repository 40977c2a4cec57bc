"""A device and its operator, whole: what is deployed is fetched, proved, tried, and serves or does not."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from agent.documents.desired import Probation
from agent.documents.policy import TARGET as POLICY
from agent.supervision.control import ask
from tests.simulators.operator import Operator, moody_program, settle
from tests.simulators.running_agent import RunningAgent, until_gone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.demo.broker import Broker
    from agent.documents.reported import Serving

pytestmark = pytest.mark.mosquitto

PIPELINE = """backend = { kind = "moody" }
source = { kind = "synthetic", width = 64, height = 64, fps = 100 }"""
LONG = Probation(frames=20, seconds=600, failed=0.1, slower=100.0)


def name(model: Serving | None) -> str:
    return model.name if model else ""


def told(device: RunningAgent) -> dict[str, Any]:
    found: dict[str, Any] = ask(device.control, {"op": "models"})["pipelines"]["door"]
    return found


class World:
    """An operator, and the folder of a device that has no model yet, or has one for long."""

    def __init__(self, folder: Path, operator: Operator) -> None:
        self.folder, self.operator = folder, operator
        self.program = moody_program(folder)

    def device(self, model: str = "") -> RunningAgent:
        """The device, to be started; again and again if need be."""
        made = RunningAgent(self.folder, PIPELINE, self.operator.tables(), model=model)
        made.config.write_text("shutdown_drain_s = 0.0\n" + made.config.read_text())
        made.program = self.program
        return made

    def settled(self) -> RunningAgent:
        """A device whose model "one" is active."""
        settle(self.folder / "data", active=1)
        return self.device()


@pytest.fixture
def world(tmp_path: Path, broker: Broker) -> Iterator[World]:
    with Operator(tmp_path, broker.port) as operator:
        operator.add("one", value=1)
        operator.add("two", value=2)
        operator.publish()
        yield World(tmp_path, operator)


def test_a_first_model_comes_and_a_second_one_replaces_it_and_no_frame_is_lost(world: World) -> None:
    operator = world.operator
    with world.device() as device:
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


@pytest.mark.parametrize("when", ["load", "run"])
def test_a_model_that_dies_in_its_proof_costs_a_process_and_the_old_one_serves(
    world: World, when: str
) -> None:
    behaviour: dict[str, Any] = {when: "crash"}
    world.operator.add("bad", value=3, **behaviour)
    world.operator.publish()
    with world.settled() as device:
        worker = device.until(lambda one: one["state"] == "running")["pid"]
        world.operator.deploy(door="bad")
        standing = world.operator.until(lambda one: one.strikes == 1)
        assert (standing.state, name(standing.serving)) == ("verified", "one")
        assert "SIGSEGV" in standing.reason
        pipeline = device.until_inferred()
        assert (pipeline["pid"], pipeline["restarts"]) == (worker, 0)


def test_a_model_that_does_not_fit_is_rejected_and_stays_so_after_a_kill(world: World) -> None:
    manifest: dict[str, Any] = {"task": "classification"}
    world.operator.add("odd", manifest=manifest, value=3)
    world.operator.publish()
    with world.settled() as device:
        world.operator.deploy(door="odd")
        standing = world.operator.until_state("rejected")
        assert name(standing.serving) == "one"
        device.end(signal.SIGKILL)
    with world.device() as device:
        assert device.until(lambda one: one["state"] == "running")["model"] == "one@1"
        assert told(device)["state"] == "rejected"


def test_a_worker_that_dies_on_trial_serves_the_old_model_again(world: World) -> None:
    with world.settled() as device:
        world.operator.deploy(LONG, door="two")
        pid = device.until(lambda one: one["model"] == "two@1" and one["state"] == "running")["pid"]
        os.kill(pid, signal.SIGKILL)
        again = device.until(lambda one: one["pid"] not in {None, pid} and one["state"] == "running")
        assert again["model"] == "one@1"
        assert "the worker" in world.operator.until(lambda one: one.strikes == 1).reason


@pytest.mark.parametrize(("number", "strikes"), [(signal.SIGKILL, 1), (signal.SIGTERM, 0)])
def test_an_agent_that_ends_while_a_model_is_on_trial_boots_the_old_one(
    world: World, number: signal.Signals, strikes: int
) -> None:
    with world.settled() as device:
        world.operator.deploy(LONG, door="two")
        device.until(lambda one: one["model"] == "two@1")
        device.end(number)
    before, _ = device.stored()
    with world.device() as device:
        device.until_inferred()
        assert told(device)["strikes"] == strikes
        assert device.end() == 0
    records, _ = device.stored()
    after = [record["model"] for record in records[len(before) :] if record["kind"] == "tensor"]
    assert after[0] == "one@1"


def test_a_policy_refuses_by_name_and_a_model_that_it_forbids_later_goes_on(world: World) -> None:
    with world.settled() as device:
        world.operator.repository.add_document(POLICY, json.dumps({"v": 1, "names": ["three*"]}).encode())
        world.operator.publish()
        world.operator.deploy(door="two")
        standing = world.operator.until_state("rejected")
        assert "policy.names" in standing.reason
        assert name(standing.serving) == "one"
        assert "model.misaligned" in device.log
        device.until_inferred()


def test_a_bundle_that_serves_and_is_revoked_is_told_and_goes_on(world: World) -> None:
    with world.device() as device:
        world.operator.deploy(door="one")
        world.operator.until_state("active")
        assert "model.misaligned" not in device.log
        world.operator.repository.revoke("models/one/1/manifest.json")
        world.operator.publish()
        world.operator.deploy(door="nowhere")
        device.until(lambda _: "revoked: the fleet's metadata no longer vouches for it" in device.log)
        assert name(world.operator.until_state("downloading").serving) == "one"
        device.until_inferred()


def test_a_proof_that_is_killed_is_a_strike_and_the_old_model_serves(world: World) -> None:
    world.operator.add("slow", value=3, seconds=0.5)
    world.operator.publish()
    with world.settled() as device:
        world.operator.deploy(door="slow")
        world.operator.until_state("proving")
        worker = device.pipeline()["pid"]
        proof = _proof(device.process.pid, worker)
        os.kill(proof, signal.SIGKILL)
        until_gone(proof)
        assert "SIGKILL" in world.operator.until(lambda one: one.strikes == 1).reason
        assert device.until_inferred()["pid"] == worker


def _proof(agent: int, worker: int) -> int:
    """Wait for the process that proves, which may start only after the device has said that it does."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        children = {int(child) for child in Path(f"/proc/{agent}/task/{agent}/children").read_text().split()}
        for pid in children - {worker}:
            if b"agent.workers.main" in Path(f"/proc/{pid}/cmdline").read_bytes():  # it is not the updater
                return pid
        time.sleep(0.005)
    raise AssertionError("nothing proves")
