"""On a kernel without Landlock and filters workers run with what there is, and everyone is told."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from agent.confinement import landlock
from tests.simulators import old_kernel
from tests.simulators.running_agent import PROGRAM, RunningAgent

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.landlock


def said(*command: str) -> dict[str, str]:
    words = [*command, *PROGRAM, "doctor", "--json"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    [found] = [one for one in json.loads(done.stdout)["checks"] if one["check"] == "confinement"]
    return dict(found)


def test_the_doctor_tells_what_the_kernel_can_hold_workers_to() -> None:
    here = said()
    assert here["verdict"] == "ok"
    assert f"Landlock ABI {landlock.abi()}, seccomp on: workers are held" in here["detail"]
    old = said(*old_kernel.PROGRAM)
    assert old["verdict"] == "warn"
    assert "Landlock missing" in old["detail"]
    assert "a kernel of 5.13 or later with Landlock mends it" in old["detail"]


def test_workers_run_exposed_where_the_kernel_cannot_confine_them_and_it_is_told(tmp_path: Path) -> None:
    agent = RunningAgent(tmp_path)
    agent.program = [*old_kernel.PROGRAM, sys.executable, "-m", "agent.cli.main"]
    with agent:
        pipeline = agent.until_inferred(5)
        assert pipeline["confined"] == {"landlock": 0, "seccomp": False}
        assert agent.status()["events"]["lane.exposed"] == 1
        assert agent.end() == 0
    assert "lane.exposed door landlock=0 seccomp=False" in agent.log
