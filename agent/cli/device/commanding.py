"""Has the running agent do a command, through the inbox that the operator's commands go through, too."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from agent.errors import AgentError, Retryable
from agent.supervision.control import ask

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_FIRST_S, _LONGEST_S, _AWAY_S = 0.02, 0.5, 15.0


def carried_out(control: Path, op: str, args: Mapping[str, Any], timeout_s: float) -> dict[str, Any]:
    """Have a command done, and wait for what becomes of it.

    Args:
        control: the agent's socket.
        op: the command.
        args: its arguments.
        timeout_s: how long to wait.

    Returns:
        The outcome: see ``agent.documents.outcome``; it may have failed.

    Raises:
        AgentError: no agent runs, it does not take the command, or it is not over in time.
    """
    until, wait_s = time.monotonic() + timeout_s, _FIRST_S
    identity = ask(control, {"op": "command", "command": op, "args": dict(args)})["id"]
    while (found := _told(control, identity))["state"] != "settled":
        if time.monotonic() >= until:
            problem = f"it is {found['state']} after {timeout_s:.0f} s, and goes on"
            if why := found.get("waits"):  # an older agent has nothing that waits
                problem += f": {why}"
            raise Retryable("do command", op, problem, "Wait longer: --timeout SECONDS")
        time.sleep(wait_s)
        wait_s = min(_LONGEST_S, 2 * wait_s)
    outcome: dict[str, Any] = found["outcome"]
    return outcome


def _told(control: Path, identity: str) -> dict[str, Any]:
    """Ask how a command stands; an agent that begins anew for its sake is away for a moment.

    Raises:
        AgentError: nobody answers.
    """
    give_up = time.monotonic() + _AWAY_S
    while True:
        try:
            return ask(control, {"op": "outcome", "id": identity})
        except AgentError:
            if time.monotonic() >= give_up:
                raise
        time.sleep(_LONGEST_S)


def done(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """Give the result of a command that was done.

    Raises:
        AgentError: it was not.
    """
    if outcome["state"] != "done":
        raise AgentError("do command", outcome["op"], outcome["reason"])
    return dict(outcome["result"])
