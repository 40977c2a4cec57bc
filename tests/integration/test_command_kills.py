"""kill -9 of the agent at every step of a command: it is done once, and answered once."""

from __future__ import annotations

import mmap
import os
import shutil
import signal
import struct
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.simulators.commander import signed
from tests.simulators.commanding import Commanding
from tests.simulators.counted_command import VARIABLE
from tests.simulators.kill_points import compile_kill_point
from tests.simulators.running_agent import RunningAgent

if TYPE_CHECKING:
    from pathlib import Path

    from agent.demo.broker import Broker

ON_DEMAND = "EDGE_AGENT_TESTS_COMMAND_KILLS"
_ORDER = 512
PROGRAM = [
    sys.executable,
    "-c",
    "from tests.simulators.counted_command import main; main()  # agent.cli.main",
]
PIPELINE = 'source = { kind = "synthetic", width = 32, height = 32, fps = 1 }'
STATE, COUNTED = "*/state.db-wal", "*/counted"


@dataclass(frozen=True, slots=True)
class Step:
    """Where the agent is killed; ``name`` says what is durable then, and what is not."""

    name: str
    step: str
    when: str
    count: int
    pattern: str
    brief: bool = False


STEPS = (
    Step("nothing is written", "write", "before", 1, STATE),
    Step("taken, not confirmed to the broker", "sync", "after", 1, STATE, brief=True),
    Step("begun, not done", "write", "before", 1, COUNTED),
    Step("done, its outcome not written", "write", "after", 1, COUNTED, brief=True),
    Step("its outcome written, not told", "sync", "after", 3, STATE, brief=True),
    Step("told, and that not written", "write", "before", 5, STATE),
    Step("all over", "sync", "after", 4, STATE),
    Step("before it sends anything", "send", "before", 1, "socket:*"),
    Step("it has sent something", "send", "after", 1, "socket:*"),
    Step("it has sent more", "send", "after", 2, "socket:*"),
)


class Killer:
    """Kills the agent at a step, by kill_point.c."""

    def __init__(self, folder: Path) -> None:
        self.shim = compile_kill_point(folder)
        self.path = folder / "point"
        self.path.write_bytes(bytes(_ORDER))
        with self.path.open("r+b") as file:
            self._order = mmap.mmap(file.fileno(), _ORDER)
        self._orders = 0

    def arm(self, step: Step) -> None:
        line = f"agent.cli.main {step.step} {step.when} {step.count} {step.pattern}\n"
        self._orders += 1
        self._order[8:] = line.encode().ljust(_ORDER - 8, b"\0")
        self._order[:8] = struct.pack("@Q", self._orders)


@pytest.mark.mosquitto
@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
def test_an_agent_killed_at_any_step_of_a_command_does_it_once_and_answers_once(
    tmp_path: Path, broker: Broker
) -> None:
    killer, counted = Killer(tmp_path), tmp_path / "counted"
    steps = [one for one in STEPS if one.brief or os.environ.get(ON_DEMAND)]
    with Commanding(tmp_path, broker.port) as operator:

        def device() -> RunningAgent:
            agent = RunningAgent(tmp_path, PIPELINE, operator.tables())
            agent.program = PROGRAM
            agent.environment = {
                **os.environ,
                VARIABLE: str(counted),
                "LD_PRELOAD": str(killer.shim),
                "KILL_POINT": str(killer.path),
            }
            return agent.__enter__()

        agent = device()
        try:
            operator.until_obeyed()
            for step in steps:
                killer.arm(step)
                command = operator.command("count")
                assert agent.process.wait(20) == -signal.SIGKILL, f"{step}: {agent.log}"
                agent.__exit__()
                agent = device()
                if not operator.heard(command.id):
                    assert operator.hear(command.id).state == "done", step
                operator.say(signed(command, operator.all))
                operator.hear(command.id)
                told = {one.model_dump_json() for one in operator.heard(command.id) if one.last}
                assert len(told) == 1, (step, told)
                assert counted.read_text().split().count(command.id) == 1, step
            assert agent.end() == 0, agent.log
        finally:
            agent.__exit__()
