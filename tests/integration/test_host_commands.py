"""Commands to the machine, from the agent's inbox to the helper and back: a real agent, a real helper."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from agent.supervision.control import ask
from tests.simulators.released import Board, wheel
from tests.simulators.running_agent import RunningAgent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _until(condition: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < give_up, what
        time.sleep(0.02)


def _command(agent: RunningAgent, op: str, **args: Any) -> str:
    found: str = ask(agent.control, {"op": "command", "command": op, "args": args})["id"]
    return found


def _outcome(agent: RunningAgent, identity: str) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def settled() -> bool:
        found.update(ask(agent.control, {"op": "outcome", "id": identity}))
        return bool(found["state"] == "settled")

    _until(settled, "settle")
    outcome: dict[str, Any] = found["outcome"]
    return outcome


def test_an_update_is_asked_for_once_and_answered_once_whatever_kills_the_agent(tmp_path: Path) -> None:
    (tmp_path / "board").mkdir()
    board = Board(tmp_path / "board")
    assert board.serve().returncode == 0  # as at boot: it says that it is there
    tables = f'[host]\nupdate = true\nfolder = "{board.asked}"\nhelper = "{board.helper}"\n'
    request = board.asked / "request.json"
    with RunningAgent(tmp_path, more=tables) as agent:
        agent.until(lambda pipeline: bool(pipeline["state"] == "running"))
        first = _command(agent, "update", version="9.9.9")
        _until(request.exists, "ask the helper")
        agent.process.kill()
        agent.process.wait()
    asked = request.read_bytes()
    assert json.loads(asked)["id"] == first
    with RunningAgent(tmp_path, more=tables) as agent:
        agent.until(lambda pipeline: bool(pipeline["state"] == "running"))
        assert request.exists()
        assert board.serve().returncode == 0
        outcome = _outcome(agent, first)
        assert (outcome["state"], "9.9.9" in outcome["reason"]) == ("failed", True)
        wheel(board.wheels, "1.1.0")
        second = _command(agent, "update", version="1.1.0")
        _until(request.exists, "ask the helper")
        assert board.serve().returncode == 0
        assert _outcome(agent, second)["result"] == {"version": "1.1.0"}
        agent.process.kill()
        agent.process.wait()
    with RunningAgent(tmp_path, more=tables) as agent:
        agent.until(lambda pipeline: bool(pipeline["state"] == "running"))
        assert _outcome(agent, second)["result"] == {"version": "1.1.0"}
        refused = _outcome(agent, _command(agent, "reboot"))
        assert (refused["state"], refused["refusal"]) == ("refused", "local")
        assert "host.reboot of this device does not allow it" in refused["reason"]
        assert not request.exists()
        assert agent.end() == 0
