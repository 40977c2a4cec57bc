"""Sees whether a service that was just started stays: the agent is ready before its workers are."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from agent.errors import AgentError
from agent.installing import systemd
from agent.installing.plan import UNIT

if TYPE_CHECKING:
    from collections.abc import Callable

_PATIENCE_S = 15.0
"""A slow board may take longer to load its models; then it is told as it stands."""
_PAUSE_S = 0.2
_RUNNING = re.compile(r"[1-9]\d* of \d+ pipelines running")


def ask() -> tuple[str, str]:
    """Give the service's state, and what it says of itself.

    Raises:
        AgentError: systemd does not answer.
    """
    told = systemd.shown(("ActiveState", "StatusText"))
    return told.get("ActiveState", ""), told.get("StatusText", "")


def watch(asked: Callable[[], tuple[str, str]] = ask, patience_s: float = _PATIENCE_S) -> str:
    """Wait until a pipeline runs, or for ``patience_s``; give what the service says of itself then.

    Raises:
        AgentError: it has ended, or systemd does not answer.
    """
    end = time.monotonic() + patience_s
    while True:
        state, says = asked()
        if state != "active":
            raise AgentError("start", UNIT, f"it is {state or 'not there'}", systemd.WHY)
        if _RUNNING.match(says) or time.monotonic() > end:
            return says
        time.sleep(_PAUSE_S)
