"""Takes the connections that the supervisor hands to a worker; the thread that reads them may come later."""

from __future__ import annotations

import threading

from agent.processes.ipc import Channel


class Feed:
    """Between a worker's control thread and its capture thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._fresh: Channel | None = None

    def lend(self, fd: int) -> None:
        """Take a connection, in place of one that nobody has taken."""
        with self._changed:
            if self._fresh is not None:
                self._fresh.close()
            self._fresh = Channel.from_fd(fd)
            self._changed.notify_all()

    def take(self, timeout_s: float) -> Channel | None:
        """Give the newest connection, which is the caller's; None when none came in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._fresh is not None, timeout_s)
            fresh, self._fresh = self._fresh, None
            return fresh
