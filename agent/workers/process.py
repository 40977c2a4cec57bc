"""A worker process, from outside: spawn, signals, exit. A program, not a fork: no inherited locks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import ExitStack

from agent.workers.heartbeat import Page
from agent.workers.ipc import Channel
from agent.workers.usage import Usage

_KEPT = ("LANG", "LC_ALL", "TZ", "LD_LIBRARY_PATH")


class WorkerProcess:
    """A running ``python -m agent.workers.main`` with channel, heartbeat page, pidfd and usage.

    Raises:
        OSError: this machine cannot start one now; nothing is left behind.
    """

    def __init__(self, spec_json: bytes) -> None:
        with ExitStack() as handed_over, ExitStack() as undo:
            self.page = Page.create()
            undo.callback(self.page.close)
            self.channel, theirs = Channel.pair()
            undo.callback(self.channel.close)
            handed_over.callback(theirs.close)
            spec_fd = os.memfd_create("edge-agent-lane", os.MFD_CLOEXEC)
            handed_over.callback(os.close, spec_fd)
            with open(spec_fd, "wb", closefd=False) as file:
                file.write(spec_json)
            os.lseek(spec_fd, 0, os.SEEK_SET)
            fds = (theirs.fileno(), self.page.fd, spec_fd)
            command = [sys.executable, "-I", "-m", "agent.workers.main", *map(str, fds), str(os.getpid())]
            environment = {name: os.environ[name] for name in _KEPT if name in os.environ}
            # A session of its own: the terminal's ^C reaches the supervisor only.
            self._process = subprocess.Popen(
                command, pass_fds=fds, env=environment, stdin=subprocess.DEVNULL, start_new_session=True
            )
            undo.callback(self._process.wait)
            undo.callback(self._process.kill)
            self.pidfd = os.pidfd_open(self._process.pid)
            self.usage = Usage(self._process.pid)  # now: it hides as soon as it has read what it is to do
            undo.pop_all()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; one that has ended already is left alone."""
        self._process.send_signal(number)

    def exit_code(self) -> int | None:
        """The exit code once it has ended, negative for a signal; None while it runs."""
        return self._process.poll()

    def close(self) -> None:
        """Free the descriptors. The process must have ended, or be stuck for good."""
        self.channel.close()
        self.page.close()
        self.usage.close()
        if self.pidfd >= 0:
            os.close(self.pidfd)
            self.pidfd = -1


def ending(code: int) -> str:
    """Say in words what an exit code means."""
    if code >= 0:
        return f"exit code {code}"
    name = next((one.name for one in signal.Signals if one == -code), f"signal {-code}")
    return f"ended by {name}"
