"""How much memory each process may have: a real agent, and what the kernel counts of it.

The budgets are for what a process has of its own, which is the same on a busy machine, and for all that is
mapped. They are a tenth above what was measured (bench/results/memory.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.simulators.resident import children, own_mb, resident_mb, together_mb
from tests.simulators.running_agent import RunningAgent

if TYPE_CHECKING:
    from pathlib import Path


class Budget(NamedTuple):
    """MiB of a process's own, and of all that is mapped."""

    own: float
    resident: float


BUDGETS = {
    "supervisor": Budget(30.5, 39.0),
    "supervisor with a broker": Budget(35.0, 44.0),
    "agent.workers.main": Budget(53.0, 71.0),
    "agent.capture.main": Budget(35.5, 56.0),
}
BOTH_MB = 97.0
"""Supervisor and a MobileNet worker together, as if nothing else ran; measured as 94, promised as 95."""

CAMERA = 'kind = "synthetic", width = 640, height = 480, fps = 30'
BROKER = '[mqtt]\nhost = "127.0.0.1"\nport = 1\n[trust]\nunsigned = true'
"""Nobody listens there: what the link needs is loaded all the same."""


def settled(agent: RunningAgent) -> None:
    """Wait until the start is over for everyone, and what it has left behind is given back."""
    agent.until_inferred(60)  # two seconds of frames
    agent.until(lambda _: agent.status()["uptime_s"] > 4)


def over(agent: RunningAgent, supervisor: str) -> list[str]:
    """Name the processes that have more than their budget."""
    programs = {agent.process.pid: supervisor, **children(agent.process.pid)}
    return [
        f"{name}: {what} {measured(pid):.1f} MiB, and {most} is the most"
        for pid, name in programs.items()
        for what, measured, most in zip(
            BUDGETS[name]._fields, (own_mb, resident_mb), BUDGETS[name], strict=True
        )
        if measured(pid) > most
    ]


@pytest.mark.shared
def test_an_agent_with_a_mobilenet_stays_within_its_budget(tmp_path: Path, shared: Path) -> None:
    model = shared / "models" / "mobilenet_v2_1.0_224_quant.tflite"
    pipeline = f'task = "classification"\nsource = {{ {CAMERA} }}'
    with RunningAgent(tmp_path, pipeline, model=str(model)) as agent:
        settled(agent)
        assert over(agent, "supervisor") == []
        assert together_mb([agent.process.pid, *children(agent.process.pid)]) <= BOTH_MB


def test_with_a_broker_and_a_shared_source_each_process_stays_within_its_budget(tmp_path: Path) -> None:
    more = f'{BROKER}\n[[sources]]\nname = "yard"\n{CAMERA.replace(", ", chr(10))}\n'
    second = '[[pipelines]]\nname = "gate"\nmodel = "glyphs"\nsource = "yard"'
    with RunningAgent(tmp_path, f'source = "yard"\n{second}', more) as agent:
        settled(agent)
        found = children(agent.process.pid)
        assert sorted(found.values()) == ["agent.capture.main", *["agent.workers.main"] * 2]
        assert over(agent, "supervisor with a broker") == []
