"""The agent's own commands as programs that an operator asked for: real processes."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.commands import bench, probe, prove
from agent.commands.seams import Answer, Order, Reach, Work
from agent.errands.programs import Programs
from agent.errors import AgentError, Rejected

CONFIG = """
[device]
id = "d"
[store]
path = "data"
[[pipelines]]
name = "door"
model = "glyphs"
source = { kind = "synthetic" }
"""


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    config = tmp_path / "agent.toml"
    config.write_text(CONFIG)
    return Programs(config, tmp_path / "outgoing", SystemClock())


def answer(work: Work, patience_s: float = 60.0) -> Answer:
    give_up = time.monotonic() + patience_s
    while time.monotonic() < give_up:
        if (found := work.tick(time.monotonic())) is not None:
            return found
        time.sleep(0.02)
    pytest.fail("it gives no answer")


def test_the_answer_is_what_the_program_says(programs: Programs) -> None:
    found = answer(programs.run("model", "list", seconds=60))
    assert found.result["pipelines"]["door"]["state"] == "idle"


def test_a_program_that_fails_fails_the_command_with_its_last_line(programs: Programs) -> None:
    with pytest.raises(
        AgentError, match="run edge-agent model: exit code 1: prove x@1: it is not on this device"
    ):
        answer(prove.run(prove.Args(pipeline="door", model="x@1"), Order("i"), reach(programs)))


def test_a_program_that_takes_too_long_is_killed_and_so_is_one_at_the_agents_end(programs: Programs) -> None:
    late = programs.run("bench", "glyphs", seconds=0)
    with pytest.raises(AgentError, match="it was not done after 0 s"):
        answer(late)
    left = programs.run("bench", "glyphs", seconds=60)
    [watched] = left.watched()
    pid = watched.process.pid
    left.stop()
    left.stop()
    assert not Path(f"/proc/{pid}").exists()


def test_a_program_has_less_of_the_cpu_than_what_serves(programs: Programs) -> None:
    work = programs.run("bench", "glyphs", seconds=60)
    [watched] = work.watched()
    pid, give_up = watched.process.pid, time.monotonic() + 30
    while os.getpriority(os.PRIO_PROCESS, pid) < 10 and time.monotonic() < give_up:
        time.sleep(0.01)
    work.stop()
    assert time.monotonic() < give_up


def reach(programs: Programs | None, *accelerators: str) -> Reach:
    used = [{"name": name, "pid": 7} for name in accelerators]
    return Reach(device="d", status=lambda: {"accelerators": used}, programs=programs)


class Told(Programs):
    """Only notes what is to be run."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def run(self, *arguments: str, seconds: float, file: str = "") -> Work:  # type: ignore[override]
        del seconds, file
        self.told = list(arguments)
        return None  # type: ignore[return-value]


def test_a_probe_leaves_the_accelerators_alone_that_the_agent_uses(programs: Programs) -> None:
    told = Told()
    probe.run(probe.Args(), Order("i"), reach(told, "edgetpu", "vx"))
    assert told.told == ["probe", "--without", "edgetpu", "--without", "vx"]


def test_a_bench_is_one_of_the_cpu_unless_somebody_says_otherwise() -> None:
    told = Told()
    bench.run(bench.Args(model="door", seconds=1), Order("i"), reach(told))
    assert told.told == ["bench", "door", "--seconds", "1", "--delegate", "cpu"]
    bench.run(bench.Args(model="door", delegates=("edgetpu",)), Order("i"), reach(told))
    assert told.told[-2:] == ["--delegate", "edgetpu"]


def test_an_agent_without_programs_says_so() -> None:
    with pytest.raises(Rejected, match="reach programs: this agent has none"):
        probe.run(probe.Args(), Order("i"), reach(None))


def test_what_is_too_long_for_an_outcome_comes_as_a_file(
    programs: Programs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agent.errands.programs.MOST_RESULT", 10)
    found = answer(programs.run("model", "list", seconds=60))
    assert found.result == {"see": "model.json"}
    assert found.files[0].name.endswith("--model.json")
    assert b'"door"' in found.files[0].read_bytes()
