"""Runs models in a process of its own, which a file that crashes the runtime costs, and no more."""

from __future__ import annotations

import selectors
import signal
import time
from typing import TYPE_CHECKING

from agent.errors import LaneCrashed
from agent.fleet.packing import words
from agent.processes.child import Child, ending
from agent.processes.message import error_of
from agent.workers.messages import Fault

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from pydantic import BaseModel

_HINT = "Check the file with the tool that made it, or convert it again"


def tried(
    module: str, ask: BaseModel, subject: str, limit_s: float, names: Mapping[str, str] | None = None
) -> Generator[words.Said]:
    """Start a program of this package, and give what it says; closing this ends the program.

    Args:
        module: the program, as ``python -m`` knows it.
        ask: what it is to do.
        subject: what an error calls it: the model file.
        limit_s: how long it may take.
        names: what files of ours are called where errors speak of them.

    Raises:
        AgentError: the program has refused; the error is its own.
        LaneCrashed: it died or took too long.
    """
    child = Child(module, ask.model_dump_json().encode())
    give_up = time.monotonic() + limit_s
    try:
        while True:
            packet = _next(child, give_up)
            if packet is None:
                problem = f"it takes longer than {limit_s:.0f} s"
                raise LaneCrashed("run model", subject, problem, "Give fewer inputs, or use a faster machine")
            if not packet:
                problem = f"the process that runs it dies: {ending(_code(child))}"
                raise LaneCrashed("run model", subject, problem, _HINT)
            said = words.parse(packet)
            if isinstance(said, Fault):
                known = (names or {}).get(said.subject, said.subject)
                raise error_of(said.model_copy(update={"subject": known}))
            if isinstance(said, words.Done):
                return
            yield said
    finally:
        child.signal(signal.SIGKILL)
        _code(child)
        child.close()


def _next(child: Child, give_up: float) -> bytes | None:
    """Give the next packet, b"" at the end, None when time is up."""
    with selectors.DefaultSelector() as selector:
        selector.register(child.channel.fileno(), selectors.EVENT_READ)
        while (packet := child.channel.receive()) is None:
            if (left := give_up - time.monotonic()) <= 0:
                return None
            selector.select(left)
        return packet


def _code(child: Child) -> int:
    """Wait for its end, which is near."""
    with selectors.DefaultSelector() as selector:
        selector.register(child.pidfd, selectors.EVENT_READ)
        selector.select()
    code = child.exit_code()
    return 0 if code is None else code
