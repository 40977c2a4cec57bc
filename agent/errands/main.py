"""Becomes one of our own commands: ``edge-agent ...``, on behalf of the agent.

``python -m agent.errands.main SOCKET_FD OUT_FD ERR_FD SPEC_FD PARENT_PID`` is started by the supervisor.
It runs below what serves (nice 10, where no sandbox forbids that), dies with the supervisor, and writes into
memory of a fixed size: more than that fails. What it is to do is a list of arguments for ``edge-agent``.
"""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import orjson

from agent.processes import program

if TYPE_CHECKING:
    from collections.abc import Callable

NICE = 10
SPARED_LAST = 500
"""Of -1000 to 1000 (proc(5)): where memory is short, this goes before what serves."""
_OOM = Path("/proc/self/oom_score_adj")


def _step_back() -> None:
    """Leave CPU and memory to what serves; where a sandbox forbids that, say so and go on."""
    steps: tuple[Callable[[], object], ...] = (
        partial(os.nice, NICE),
        partial(_OOM.write_text, str(SPARED_LAST)),
    )
    for step in steps:
        try:
            step()
        except OSError as error:
            print(f"edge-agent: cannot step back behind what serves: {error}", file=sys.stderr)


def main() -> NoReturn:
    """Run the program; never returns."""
    channel, [out, err], spec = program.begin()
    arguments = list(map(str, orjson.loads(spec)))
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    for theirs, ours in ((out, 1), (err, 2)):
        os.dup2(theirs, ours)
        os.close(theirs)
    channel.close()
    _step_back()
    os.execv(sys.executable, [sys.executable, "-I", "-m", "agent.cli.main", *arguments])  # noqa: S606


if __name__ == "__main__":
    main()
