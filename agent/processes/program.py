"""How a program begins that ``child.py`` has started: tied to its parent, with what it was given."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import orjson

from agent.errors import EXIT_CONFIG, EXIT_FAILED, EXIT_OK, AgentError, Fatal, Rejected
from agent.processes import memory
from agent.processes.ipc import Channel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_PR_SET_PDEATHSIG = 1


def begin(*, tied: bool = True) -> tuple[Channel, list[int], bytes]:
    """Read the command line ``SOCKET_FD [more descriptors] SPEC_FD PARENT_PID``, and keep nothing else open.

    Args:
        tied: whether it is killed with its parent; else it is to end when the channel is closed.

    Returns:
        The channel to the parent, the descriptors between, and what is to be done, as JSON.
    """
    socket_fd, *more, spec_fd, parent = map(int, sys.argv[1:])
    memory.one_arena()
    if tied:
        tie_to(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    close_descriptors((socket_fd, *more, spec_fd))
    with os.fdopen(spec_fd, "rb") as file:
        spec = file.read()
    return Channel.from_fd(socket_fd), more, spec


def serve(channel: Channel, what: str, run: Callable[[], bool]) -> NoReturn:
    """Do what a process is for, tell the parent when that fails, and leave.

    Args:
        channel: to the parent.
        what: what it serves.
        run: does it; gives whether the parent has asked to stop, which is exit code 0.
    """
    from agent.processes.message import flattened  # it loads pydantic, which not every program of ours needs

    code = EXIT_FAILED
    try:
        if run():
            code = EXIT_OK
    except AgentError as error:
        code = EXIT_CONFIG if isinstance(error, Fatal | Rejected) else EXIT_FAILED
        channel.send(orjson.dumps({"type": "fault", **flattened(error)}))
    except Exception as error:  # noqa: BLE001 - the boundary: say it, then let a new process start
        sys.excepthook(type(error), error, error.__traceback__)
        bug = AgentError("serve", what, f"{type(error).__name__}: {error}", "This is a bug: report it")
        channel.send(orjson.dumps({"type": "fault", **flattened(bug)}))
    # Native threads and destructors may hang: leave without waiting for them.
    sys.stderr.flush()
    os._exit(code)


def tie_to(parent: int) -> None:
    """Die with the parent (prctl(2)); at once, if it is gone already."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the tie was made
        os._exit(EXIT_FAILED)


def close_descriptors(kept: Iterable[int]) -> None:
    """Close all descriptors but the standard ones and ``kept``, whoever has passed them on."""
    for one in {int(entry.name) for entry in Path("/proc/self/fd").iterdir()} - {0, 1, 2, *kept}:
        os.closerange(one, one + 1)  # says nothing of the listing's own, which is closed by now


def hush() -> None:
    """Keep native libraries off the terminal, and out of what the parent prints; our own words still pass."""
    words = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for one in (1, 2):
        os.dup2(nowhere, one)
    os.close(nowhere)
    sys.stderr = os.fdopen(words, "w")
