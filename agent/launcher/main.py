"""The launcher program: ``python -m agent.launcher.main SOCKET_FD SPEC_FD PARENT_PID``.

A confined worker has no children and sends no signals. What it must run, such as ``rpicam-vid``, this process
starts and ends for it: commands that were fixed before the worker was confined, and none that it asks for.
It reads nothing that a program puts out (docs/adr/0015), ends with the worker, and ends what it has started.
"""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING, Any, NoReturn

import orjson

from agent.confinement.confine import confine_launcher
from agent.errors import EXIT_FAILED, EXIT_OK
from agent.launcher.launched import Launched
from agent.processes import program
from agent.processes.ipc import close_all
from agent.types import Needs

if TYPE_CHECKING:
    from agent.processes.ipc import Channel

MAX_RUNNING = 8
"""Programs at a time; who asks for more is refused."""
_MOST_PATIENCE_S = 2.0
"""What a program is given to end by itself, at most: meanwhile the worker's own end is not noticed."""


class Desk:
    """Answers a worker.

    Args:
        commands: what may be started.
    """

    def __init__(self, commands: list[list[str]]) -> None:
        self._commands = commands
        self._running: dict[int, Launched] = {}
        self._started = 0

    def start(self, number: int) -> tuple[dict[str, int], list[int]]:
        """Start a command; give the answer, and the descriptors of its output, which are to be closed."""
        path, *arguments = self._commands[number]
        if len(self._running) >= MAX_RUNNING:
            return {"errno": 11}, []
        try:
            running = Launched(shutil.which(path) or path, arguments)
        except OSError as error:
            return {"errno": error.errno or 5}, []
        self._started += 1
        self._running[self._started] = running
        return {"started": self._started}, [running.stdout, running.stderr]

    def finish(self, number: int, patience_s: float) -> dict[str, int]:
        """End a program; give the answer."""
        running = self._running.pop(number)
        return {"ended": running.finish(min(max(0.0, patience_s), _MOST_PATIENCE_S))}

    def close(self) -> None:
        """End all that runs."""
        for running in self._running.values():
            running.finish(0)


def serve(channel: Channel, desk: Desk) -> None:
    """Answer until the worker is gone.

    Raises:
        ValueError, LookupError, OSError: it asks for what there is not, so it is not to be trusted.
    """
    while packet := channel.receive():
        match orjson.loads(packet):
            case {"start": int(number)}:
                answer, descriptors = desk.start(number)
                channel.send_with(orjson.dumps(answer), descriptors)
                close_all(descriptors)
            case {"finish": int(number), "patience_s": int() | float() as patience_s}:
                channel.send(orjson.dumps(desk.finish(number, patience_s)))
            case _:
                raise ValueError("it asks for something else")


def main() -> NoReturn:
    """Run the program; never returns."""
    channel, _, spec = program.begin(tied=False)  # it must outlive the worker for long enough to clean up
    told: dict[str, Any] = orjson.loads(spec)
    commands, rules = told["commands"], told["rules"]
    if rules:
        needs = Needs(tuple(rules["read"]), tuple(rules["devices"]), rules["network"], rules["hotplug"])
        confine_launcher(rules["hidden"], [one[0] for one in commands], needs)
    desk = Desk(commands)
    code = EXIT_OK
    try:
        serve(channel, desk)
    except (ValueError, LookupError, OSError):  # the worker is gone, or asks what it never would
        code = EXIT_FAILED
    desk.close()
    os._exit(code)


if __name__ == "__main__":
    main()
