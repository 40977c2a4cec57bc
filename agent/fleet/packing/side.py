"""What the programs of this package have in common: they read what to do, say what they find, and end."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn, TypeVar

from pydantic import BaseModel

from agent.errors import EXIT_FAILED, EXIT_OK, AgentError, InputRejected
from agent.fleet.packing.words import Done
from agent.processes import program
from agent.processes.ipc import MAX_PACKET
from agent.processes.message import flattened
from agent.workers.messages import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.processes.ipc import Channel

A = TypeVar("A", bound=BaseModel)


def serve(kind: type[A], do: Callable[[A, Callable[[BaseModel], None]], None]) -> NoReturn:
    """Do what the parent asks; leave without waiting for native threads.

    Args:
        kind: of what is asked.
        do: gets that, and a function that says something to the parent.
    """
    channel, _, asked = program.begin()
    ask = kind.model_validate_json(asked)
    program.hush()
    code = EXIT_OK
    try:
        do(ask, lambda message: say(channel, message))
        say(channel, Done())
    except AgentError as error:
        code = EXIT_FAILED
        say(channel, Fault(**flattened(error)))
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
