"""Becomes one of our own commands: ``edge-agent ...``, on behalf of the agent.

``python -m agent.errands.main SOCKET_FD OUT_FD ERR_FD SPEC_FD PARENT_PID`` is started by the supervisor.
It runs below what serves (nice 10), dies with the supervisor, and writes into memory of a fixed size: more
than that fails. What it is to do is a list of arguments for ``edge-agent``.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import NoReturn

import orjson

from agent import program

NICE = 10
SPARED_LAST = 500
"""Of -1000 to 1000 (proc(5)): where memory is short, this goes before what serves."""


def main() -> NoReturn:
    """Run the program; never returns."""
    channel, [out, err], spec = program.begin()
    arguments = list(map(str, orjson.loads(spec)))
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.nice(NICE)
    Path("/proc/self/oom_score_adj").write_text(str(SPARED_LAST))  # whoever may not run out is the agent
    for theirs, ours in ((out, 1), (err, 2)):
        os.dup2(theirs, ours)
        os.close(theirs)
    channel.close()
    os.execv(sys.executable, [sys.executable, "-I", "-m", "agent.cli.main", *arguments])  # noqa: S606


if __name__ == "__main__":
    main()
