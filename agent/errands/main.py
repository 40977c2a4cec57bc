"""Becomes one of our own commands: ``edge-agent ...``, on behalf of the agent.

``python -m agent.errands.main SOCKET_FD OUT_FD ERR_FD SPEC_FD PARENT_PID`` is started by the supervisor.
It runs below what serves (nice 10), dies with the supervisor, and writes into memory of a fixed size: more
than that fails. What it is to do is a list of arguments for ``edge-agent``.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

import orjson

from agent import program

NICE = 10


def main() -> NoReturn:
    """Run the program; never returns."""
    channel, [out, err], spec = program.begin()
    arguments = list(map(str, orjson.loads(spec)))
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.nice(NICE)
    for theirs, ours in ((out, 1), (err, 2)):
        os.dup2(theirs, ours)
        os.close(theirs)
    channel.close()
    os.execv(sys.executable, [sys.executable, "-I", "-m", "agent.cli.main", *arguments])  # noqa: S606


if __name__ == "__main__":
    main()
