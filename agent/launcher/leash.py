"""``python -m agent.launcher.leash PARENT PATH ARG...``: becomes that program, and dies with its parent."""

from __future__ import annotations

import os
import signal
import sys

from agent.processes.program import tie_to

MISSING = 127
"""The exit code, as a shell's, where the program cannot be started."""


def main() -> None:
    """Tie this process to the thread that has started it, and become the program.

    The tie (PR_SET_PDEATHSIG) outlives execve, unless the program gains privileges by it.
    """
    parent, path, *arguments = sys.argv[1:]
    tie_to(int(parent))
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores both, and what it becomes would, too
        signal.signal(number, signal.SIG_DFL)
    try:
        os.execv(path, [path, *arguments])  # noqa: S606 - there is no shell, and shall be none
    except OSError as error:
        sys.stderr.write(f"{path}: {(error.strerror or str(error)).lower()}\n")
        sys.exit(MISSING)


if __name__ == "__main__":
    main()
