"""Runs the checks over one plugin: a crash or a hang of it costs this process only.

``python -m agent.contracts.main SOCKET_FD SPEC_FD PARENT_PID`` is started by ``agent.contracts.examining``,
confines itself as a worker does before it loads the plugin, and dies with its parent.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, NoReturn

from agent.confinement.confine import confine_owner
from agent.contracts.checks import Subject, problem_of
from agent.contracts.orders import Orders, Told
from agent.contracts.rooms import checks_of
from agent.processes import program
from agent.types import Needs

if TYPE_CHECKING:
    from agent.processes.ipc import Channel

_MOST = 2000


def examine(orders: Orders, channel: Channel) -> bool:
    """Run the checks that are left, and tell of each; they end where the plugin does not even load."""
    sys.path += orders.paths
    checks = checks_of(orders.room)
    confine_owner((), Needs(read=orders.paths))
    subject = Subject(orders.room, orders.name)
    for at, check in enumerate(checks[orders.start :], orders.start):
        problem = problem_of(check, subject)
        channel.send(Told(check=check.name, problem=problem[:_MOST]).model_dump_json().encode())
        if problem and at == 0:
            break
    return True


def main() -> NoReturn:
    """Run as a program."""
    channel, _, orders = program.begin()
    program.hush()
    program.serve(channel, "checks", lambda: examine(Orders.model_validate_json(orders), channel))


if __name__ == "__main__":
    main()
