"""What the programs of this package have in common: they read what to do, say what they find, and end."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn, TypeVar

import orjson
from pydantic import BaseModel

from agent.errors import EXIT_FAILED, EXIT_OK, AgentError, InputRejected
from agent.fleet.packing.words import Done
from agent.ipc import MAX_PACKET, Channel
from agent.workers.confinement import close_descriptors

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_PR_SET_PDEATHSIG = 1
_MOST = 2000
A = TypeVar("A", bound=BaseModel)


def serve(kind: type[A], do: Callable[[A, Callable[[BaseModel], None]], None]) -> NoReturn:
    """Do what the parent asks; leave without waiting for native threads.

    Args:
        kind: of what is asked.
        do: gets that, and a function that says something to the parent.
    """
    socket_fd, spec_fd, parent = map(int, sys.argv[1:4])
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the tie was made
        os._exit(EXIT_FAILED)
    close_descriptors((socket_fd, spec_fd))
    with os.fdopen(spec_fd, "rb") as file:
        ask = kind.model_validate_json(file.read())
    _hush()
    channel = Channel.from_fd(socket_fd)
    code = EXIT_OK
    try:
        do(ask, lambda message: say(channel, message))
        channel.send(Done().model_dump_json().encode())
    except AgentError as error:
        code = EXIT_FAILED
        channel.send(orjson.dumps(_fault(error)))
    sys.stderr.flush()
    os._exit(code)


def say(channel: Channel, message: BaseModel) -> None:
    """Send the parent a message.

    Raises:
        InputRejected: it is larger than a packet may be.
    """
    packet = message.model_dump_json().encode()
    if len(packet) > MAX_PACKET:
        kind = type(message).__name__.lower()
        problem = f"the model's {kind} has {len(packet)} bytes, and {MAX_PACKET} is the most"
        raise InputRejected("record", kind, problem, "Raise the decoder's min_score, or show it less")
    channel.send(packet)


def _fault(error: AgentError) -> Mapping[str, str]:
    return {
        "type": "fault",
        "error": type(error).__name__,
        "op": error.op[:_MOST],
        "subject": error.subject[:_MOST],
        "problem": error.problem[:_MOST],
        "hint": error.hint[:_MOST],
    }


def _hush() -> None:
    """Keep libraries off the terminal, and out of what the parent prints; our own words still pass."""
    own = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for one in (1, 2):
        os.dup2(nowhere, one)
    os.close(nowhere)
    sys.stderr = os.fdopen(own, "w")
