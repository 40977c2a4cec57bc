"""Start a program that dies with the process that asked for it, whatever kills that one.

    python -m agent.demo.tether PARENT_PID PROGRAM [ARGUMENT...]

The kernel is asked for SIGKILL at the parent's death; that survives exec, unless the program then changes
its user. It is the parent's *thread* that counts: start programs from one that lives on.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
from typing import NoReturn

from agent.errors import EXIT_FAILED, EXIT_USAGE

_PR_SET_PDEATHSIG = 1


def main() -> NoReturn:
    """Tie this process to its parent, and become the program."""
    if len(sys.argv) < 3 or not sys.argv[1].isdigit():
        print("usage: python -m agent.demo.tether PARENT_PID PROGRAM [ARGUMENT...]", file=sys.stderr)
        sys.exit(EXIT_USAGE)
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(sys.argv[1]):  # it died before the tie was made
        sys.exit(EXIT_FAILED)
    try:
        os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 - a program, no shell
    except OSError as error:
        print(f"tether: start {sys.argv[2]}: {error.strerror}", file=sys.stderr)
        sys.exit(EXIT_FAILED)


if __name__ == "__main__":
    main()
