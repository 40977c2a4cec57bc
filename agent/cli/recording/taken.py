"""What snapshot and record share: frames are taken in a process of their own, into a file of ours."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from agent.cli.terminal.progress import progress
from agent.errors import AgentError
from agent.processes.child import Child
from agent.taking.orders import Done
from agent.taking.take import take

if TYPE_CHECKING:
    from agent.cli.recording.wanted import Wanted
    from agent.taking.orders import Orders


def take_all(wanted: Wanted, orders: Orders, file_fd: int, doing: str) -> Done:
    """Take frames until there are enough of them, or ^C; give what came of it.

    Args:
        wanted: the source.
        orders: how much of it.
        file_fd: where to.
        doing: what the progress is called.

    Raises:
        AgentError: the source cannot be had, or its process died or hung; what the file holds is sound.
    """
    done: Done | None = None
    try:
        with progress(doing, orders.frames) as bar:
            before = 0
            spawn = partial(Child, stdin=0) if wanted.lane.source == "stdin" else Child
            for said in take(orders, file_fd, wanted.deadlines, spawn=spawn):
                bar.advance(said.frames - before)
                before = said.frames
                done = said if isinstance(said, Done) else None
    except AgentError as error:
        raise wanted.explained(error) from error
    if done is None:
        raise RuntimeError("it ends with Done")
    return done
