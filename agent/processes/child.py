"""A program that the supervisor starts and talks with. A program, not a fork: no inherited locks."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

from agent.processes.ipc import Channel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_KEPT = ("LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH")
_KILL_MS = 3000


class Child:
    """A running ``python -m MODULE SOCKET_FD [more descriptors] SPEC_FD PARENT_PID``, with channel and pidfd.

    What it is to do arrives in a memfd: it may be long, and hold what no list of processes shall show.

    Args:
        module: the program.
        spec_json: what it is to do.
        also: descriptors that it inherits, too.
        environment: variables over those few that every child gets.
        stdin: the descriptor that it has as standard input; nothing by default.

    Attributes:
        on_close: called before the descriptors are freed: for a selector that has them.

    Raises:
        OSError: this machine cannot start one now; nothing is left behind.
    """

    on_close: Callable[[], None] | None = None

    def __init__(
        self,
        module: str,
        spec_json: bytes,
        *,
        also: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
        stdin: int = subprocess.DEVNULL,
    ) -> None:
        with ExitStack() as handed_over, ExitStack() as undo:
            self.channel, theirs = Channel.pair()
            undo.callback(self.channel.close)
            handed_over.callback(theirs.close)
            spec_fd = os.memfd_create("edge-agent-spec", os.MFD_CLOEXEC)
            handed_over.callback(os.close, spec_fd)
            with open(spec_fd, "wb", closefd=False) as file:
                file.write(spec_json)
            os.lseek(spec_fd, 0, os.SEEK_SET)
            fds = (theirs.fileno(), *also, spec_fd)
            command = [sys.executable, "-I", "-m", module, *map(str, fds), str(os.getpid())]
            kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
            # A session of its own: the terminal's ^C reaches the supervisor only.
            self._process = subprocess.Popen(
                command,
                pass_fds=fds,
                env={**kept, **(environment or {})},
                stdin=stdin,
                start_new_session=True,
            )
            undo.callback(self._process.wait)
            undo.callback(self._process.kill)
            self.pidfd = os.pidfd_open(self._process.pid)
            undo.pop_all()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; one that has ended already is left alone."""
        if self.exit_code() is None:  # not yet reaped, so the number is still its own
            os.kill(self._process.pid, number)

    def exit_code(self) -> int | None:
        """The exit code once it has ended, negative for a signal; None while it runs.

        What it has forked, and left, ends with it: those belong to its group, whose number is free only once
        the process is reaped.
        """
        if self._process.returncode is None:
            ended = os.WEXITED | os.WNOHANG | os.WNOWAIT
            if os.waitid(os.P_PID, self._process.pid, ended) is None:
                return None
            os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.poll()

    def see_off(self, *, patient: bool) -> int | None:
        """Wait for its end, and free the descriptors; for those who have nothing else to wait for.

        Args:
            patient: let it end by itself for three seconds; else it is killed at once.

        Returns:
            The exit code, as ``exit_code`` gives it; None when SIGKILL does not end it.
        """
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        if not patient or not poll.poll(_KILL_MS):
            self.signal(signal.SIGKILL)
            poll.poll(_KILL_MS)
        code = self.exit_code()
        self.close()
        return code

    def close(self) -> None:
        """Free the descriptors. The process must have ended, or be stuck for good."""
        if self.on_close is not None:
            self.on_close()
        self.channel.close()
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1


def ending(code: int) -> str:
    """Say in words what an exit code means."""
    if code >= 0:
        return f"exit code {code}"
    name = next((one.name for one in signal.Signals if one == -code), f"signal {-code}")
    return f"ended by {name}"
