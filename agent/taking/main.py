"""Takes frames of a source into a file that its parent has opened.

``python -m agent.taking.main SOCKET_FD FILE_FD SPEC_FD PARENT_PID`` is started by ``agent.taking.take``, and
dies with its parent. It is confined as the source's worker is: it can write into that one file, and no other.
Exit codes: 0 what could be taken was taken, 1 nothing could.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NoReturn

import orjson

from agent import plugins
from agent.errors import EXIT_FAILED, EXIT_OK, AgentError
from agent.processes import program
from agent.processes.message import flattened
from agent.taking.orders import Orders
from agent.validation import options
from agent.workers.confining import confine

if TYPE_CHECKING:
    from agent.processes.ipc import Channel
    from agent.taking.orders import Done


def take(orders: Orders, channel: Channel, file_fd: int) -> Done:
    """Do what ``orders`` say, in the confinement of a worker.

    Raises:
        AgentError: the source cannot be opened, or the file not be written.
    """
    lane = orders.lane
    module = plugins.load("sources", lane.source, "source", "kind")
    given = options(module.Options, lane.source_options, "source")
    confine(lane, [module.needs(given)] if hasattr(module, "needs") else [])
    from agent.taking.frames import Taker

    channel.send(b'{"type":"at"}')
    with os.fdopen(file_fd, "wb", buffering=0) as file:
        return Taker(orders, channel, file).take(lambda: module.build(given, start=0))


def main() -> NoReturn:
    """Run as a program."""
    channel, [file_fd], given = program.begin()
    orders = Orders.model_validate_json(given)
    if orders.lane.folder:  # relative paths start where the configuration stands
        os.chdir(orders.lane.folder)
    program.hush()
    try:
        done = take(orders, channel, file_fd)
    except AgentError as error:
        channel.send(orjson.dumps({"type": "fault", **flattened(error)}))
        os._exit(EXIT_FAILED)
    channel.send(done.model_dump_json().encode())
    os._exit(EXIT_OK)  # native threads may hang


if __name__ == "__main__":
    main()
