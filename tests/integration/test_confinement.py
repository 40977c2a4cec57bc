"""What a worker can't do, seen from inside one: a source that tries, under the real agent."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from agent.confinement import landlock
from tests.simulators.burglar import Burglar
from tests.simulators.running_agent import RunningAgent

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.landlock
SECRETS = ("device key", "credentials", "state", "segments", "configuration", "rest of the machine")
ATTEMPTS = {
    *(f"read the {what}" for what in SECRETS),
    "read the supervisor's memory",
    "read the supervisor's environment",
    "list the supervisor's descriptors",
    "trace the supervisor",
    "copy the supervisor's memory",
    "signal the supervisor",
    "signal the supervisor by its pidfd",
    "limit the supervisor",
    "connect to the agent",
    "open a network socket",
    "write a file",
    "write beside its module",
    "open its memory to others",
    "outlive the supervisor",
    "make a namespace",
    "change the root",
    "be nicer than others",
    "have a child",
    "start a program",
    "become a shell",
}


def burgle(folder: Path, *, confine: str = "full") -> tuple[dict[str, str], dict[str, Any]]:
    """Run the attempts in an agent's worker; give what came of each, and the pipeline's status."""
    burglar = Burglar(folder / "plugins")
    key, credentials = folder / "keys" / "device.key", folder / "credentials"
    key.parent.mkdir()
    credentials.mkdir()
    key.write_text("secret")
    loot = {
        "device key": key,
        "credentials": credentials,
        "state": folder / "data" / "state.db",
        "segments": folder / "data" / "segments",
        "configuration": folder / "agent.toml",
        "rest of the machine": "/etc/passwd",
    }
    table = "".join(f'"{what}" = "{path}", ' for what, path in loot.items()).removesuffix(", ")
    agent = RunningAgent(folder)
    rude = "true" if confine == "full" else "false"
    source = f'kind = "burglar", loot = {{ {table} }}, control = "{agent.control}", rude = {rude}'
    source += f', scratch = "{folder / "scratch"}"'
    text = agent.config.read_text()
    lines = [line for line in text.splitlines() if not line.startswith("source")]
    agent.config.write_text("\n".join([*lines, f'confine = "{confine}"', f"source = {{ {source} }}", ""]))
    agent.program = burglar.program
    with agent:
        status = agent.until(lambda pipeline: "{" in str(pipeline["problem"]))
        agent.end()
    problem = status["problem"]
    found: dict[str, str] = json.loads(problem[problem.index("{") : problem.rindex("}") + 1])
    return found, status


def test_a_worker_reads_no_secret_signals_nobody_and_starts_nothing(tmp_path: Path) -> None:
    found, status = burgle(tmp_path)
    assert status["confined"]["landlock"] == landlock.abi()
    assert status["confined"]["seccomp"]
    assert status["delegate"] == "xnnpack"
    assert status["delegated"] == [6, 7]
    assert found.keys() == ATTEMPTS
    assert {name: told for name, told in found.items() if told == "done"} == {}


def test_the_same_attempts_succeed_where_confinement_is_off(tmp_path: Path) -> None:
    found, status = burgle(tmp_path, confine="off")
    assert status["confined"] == {"landlock": 0, "seccomp": False}
    done = {name for name, told in found.items() if told == "done"}
    assert {f"read the {what}" for what in SECRETS} <= done
    assert {"signal the supervisor", "open a network socket", "have a child", "write a file"} <= done
    assert "connect to the agent" not in done  # the socket knows its workers
