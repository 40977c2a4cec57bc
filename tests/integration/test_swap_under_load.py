"""A slow model is swapped at 30 frames a second, on a machine that is busy: no frame is lost by it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from agent.control import ask
from tests.simulators.moody_bundles import bundle
from tests.simulators.operator import Operator, moody_program
from tests.simulators.running_agent import RunningAgent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.demo.broker import Broker

pytestmark = pytest.mark.mosquitto

PIPELINE = """backend = { kind = "moody" }
source = { kind = "synthetic", width = 160, height = 120, fps = 30 }"""
OLD, NEW = "three@1", "two@1"
HELD = {"load": "hold 100", "seconds": 0.02}
"""Loading it keeps all threads waiting for three frames, and then each takes most of a frame's time."""
BEFORE, AFTER = 5, 30
"""Frames around a swap: those while the new model was loaded, and those in the second after."""


@contextmanager
def load() -> Iterator[None]:
    """Keep a core busy."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        yield
        process.kill()


def test_a_swap_loses_no_frame_of_a_busy_machine(tmp_path: Path, broker: Broker) -> None:
    with Operator(tmp_path, broker.port) as operator, load():
        operator.add("two", "1", None, value=2, **HELD)
        operator.publish()
        configured, _ = bundle(tmp_path / "configured", "three", None, value=3, **HELD)
        device = RunningAgent(tmp_path, PIPELINE, operator.tables(), model=configured)
        device.program = moody_program(tmp_path)
        with device:
            worker = device.until_inferred()["pid"]
            operator.deploy(door="two")
            operator.until_state("active")
            device.until_inferred(AFTER)
            ask(device.control, {"op": "model.rollback", "pipeline": "door"})
            device.until(lambda one: one["model"] == OLD)
            assert device.until_inferred(AFTER)["pid"] == worker
            assert device.end() == 0
    records, ledger = device.stored()
    records = [one for one in records if one["kind"] == "tensor"]
    assert (ledger["lost"], ledger["failed"]) == (0, {})
    swaps = [n for n, one in enumerate(records) if n and one["model"] != records[n - 1]["model"]]
    assert [records[n]["model"] for n in swaps] == [NEW, OLD]
    assert [missing(records[n - BEFORE : n + AFTER]) for n in swaps] == [0, 0]


def missing(records: list[dict[str, Any]]) -> int:
    """Count the frames between the first and the last of these that are not among them."""
    frames = [int(one["frame"]) for one in records]
    return frames[-1] - frames[0] + 1 - len(set(frames))
