"""A program that runs beside us: started in a session of its own, and ended with all that it has started."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

_ENDS_S = 0.5
"""What a program has, after it was asked to end, before it is killed."""


class Running(Protocol):
    """A program that was started: the ends of its pipes, which are the caller's, and its end."""

    @property
    def stdout(self) -> int:
        """The descriptor that its output is read from."""

    @property
    def stderr(self) -> int:
        """The descriptor that its complaints are read from."""

    def finish(self, patience_s: float) -> int:
        """Wait so long for its end, then end it and what it has started. Idempotent.

        Returns:
            Its exit code, negative for a signal.
        """


class Launched:
    """Implements ``Running``: a child in a session of its own, which dies with the thread that starts it.

    Args:
        path: of the program.
        arguments: what it is given.

    Raises:
        OSError: this machine cannot start one now.
    """

    def __init__(self, path: str, arguments: Sequence[str]) -> None:
        command = [sys.executable, "-I", "-m", "agent.launcher.leash", str(os.getpid()), path, *arguments]
        with ExitStack() as undo, ExitStack() as handed_over:
            ends = []
            for _ in range(2):
                ours, theirs = os.pipe2(os.O_CLOEXEC)
                undo.callback(os.close, ours)
                handed_over.callback(os.close, theirs)
                ends.append((ours, theirs))
            (self.stdout, out), (self.stderr, err) = ends
            said = {**os.environ, "LC_ALL": "C"}  # so that what it says can be told apart
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=said, start_new_session=True
            )
            undo.pop_all()

    def finish(self, patience_s: float) -> int:
        """Wait so long for its end, then end its group: SIGTERM, and SIGKILL half a second later."""
        if self._process.returncode is None:
            if not self._has_ended(patience_s):
                os.killpg(self._process.pid, signal.SIGTERM)
                self._has_ended(_ENDS_S)
            os.killpg(self._process.pid, signal.SIGKILL)  # not yet reaped, so the number is still its own
        return self._process.wait()

    def _has_ended(self, patience_s: float) -> bool:
        pidfd = os.pidfd_open(self._process.pid)
        try:
            poll = select.poll()
            poll.register(pidfd, select.POLLIN)
            return bool(poll.poll(patience_s * 1000))
        finally:
            os.close(pidfd)
