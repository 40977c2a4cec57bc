"""kill -9 of the agent at every step on the way to new settings: done once, and reported once."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING

import pytest

from agent.store.audit import newest_entries
from tests.simulators.operator import Operator, moody_program, settle
from tests.simulators.running_agent import RunningAgent

if TYPE_CHECKING:
    from pathlib import Path

    from agent.demo.broker import Broker

pytestmark = pytest.mark.mosquitto

PIPELINE = """backend = { kind = "moody" }
source = { kind = "synthetic", width = 64, height = 64, fps = 10 }"""
KILLER = """
from pathlib import Path
from agent import clerk
from agent.activation import reporting
from agent.cli import run
from agent.configuring import course, manager
from agent.store import outbox, thread
from tests.simulators.kill_steps import Steps
course.Course.__init__.__kwdefaults__["retry_s"] = 0.2
order, steps = Path({order!r}), Steps()
def look():
    if order.exists():
        steps.left = int(order.read_text())
        order.unlink()
want = manager.Configuring.want
def wanted(self, desired):
    look()
    want(self, desired)
manager.Configuring.want = wanted
steps.watch((outbox.Outbox, "change"), (manager.Configuring, "_go"), (thread.Store, "close"), (run, "_live"))
"""
"""Runs first in the agent: a number in a file, read with a desired state, is how many steps it lives."""
EVERY = os.environ.get("EDGE_AGENT_TESTS_MISHAPS") == "all"
STEPS = tuple(range(16)) if EVERY else (4, 8, 11)
"""From the candidate's row to the row that says that it is active, before and after each call."""


def told(device: RunningAgent) -> list[str]:
    """What the audit log says of settings: who wanted those that came into force."""
    entries, damaged = newest_entries(device.data, 1000)
    assert not damaged
    bodies = [json.loads(entry.body) for entry in entries]
    return [body["subject"] for body in bodies if body["kind"] == "settings.activated"]


def in_force(device: RunningAgent, operator: Operator) -> int:
    """Wait until the settings are in force, starting the agent again when it was killed; say how often."""
    killed, give_up = 0, time.monotonic() + 60
    while True:
        try:
            operator.until_settings("active", timeout_s=0.2)
        except AssertionError:
            assert time.monotonic() < give_up, device.log
        else:
            return killed
        if device.process.poll() is not None:
            killed += 1
            device.__enter__()


def test_killed_at_every_step_settings_come_into_force_once_and_are_told_once(
    tmp_path: Path, broker: Broker
) -> None:
    order = tmp_path / "order"
    with Operator(tmp_path, broker.port) as operator:
        operator.publish()
        settle(tmp_path / "data", active=1)
        program = moody_program(tmp_path)
        program[-1] = KILLER.format(order=str(order)) + program[-1]
        device = RunningAgent(tmp_path, PIPELINE, operator.tables(), model="")
        device.config.write_text("shutdown_drain_s = 0.0\n" + device.config.read_text())
        device.program = program
        with device:
            operator.deploy()
            operator.until_settings("idle")
            killed = 0
            for number, step in enumerate(STEPS):
                order.write_text(str(step))
                rate = {"pipelines.door.max_rate": 5 + number % 2}
                name = f"generation {operator.deploy(overrides=rate)}"
                killed += in_force(device, operator)
                assert operator.reports[-1].settings.overrides == tuple(rate)
                assert told(device).count(name) == 1, (step, told(device))
            assert killed >= len(STEPS) - 2
            assert device.end() == 0
