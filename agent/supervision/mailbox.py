"""A mailbox that threads and signal handlers post to, and that a selector loop can wait on."""

from __future__ import annotations

import os
import threading
from collections import deque


class Mailbox:
    """Events for one loop. ``post`` may be called from any thread; ``take`` from the loop's own."""

    def __init__(self) -> None:
        self._events: deque[object] = deque()
        self._guard = threading.RLock()  # a signal handler may post while its own thread does
        self._closed = False
        self._read_fd, self._write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def fileno(self) -> int:
        """Readable when something was posted."""
        return self._read_fd

    @property
    def wake_fd(self) -> int:
        """A byte written here wakes the loop: for ``signal.set_wakeup_fd``."""
        return self._write_fd

    def post(self, event: object) -> None:
        """Leave an event and wake the loop."""
        with self._guard:
            if self._closed:
                return  # a thread that outlived the loop: nobody listens any more
            self._events.append(event)
            try:
                os.write(self._write_fd, b"\0")
            except BlockingIOError:
                return  # a full pipe wakes the loop as well

    def take(self) -> list[object]:
        """Give what was posted since the last call, oldest first."""
        try:
            os.read(self._read_fd, 4096)
        except BlockingIOError:
            return self._drain()
        return self._drain()

    @property
    def closed(self) -> bool:
        """Whether nobody listens any more."""
        return self._closed

    def left(self) -> list[object]:
        """Give what was posted and never taken, once it is closed."""
        return self._drain()

    def _drain(self) -> list[object]:
        return [self._events.popleft() for _ in range(len(self._events))]

    def close(self) -> None:
        """Close the pipe; what is posted from now on goes nowhere. Idempotent."""
        with self._guard:
            if not self._closed:
                self._closed = True
                os.close(self._read_fd)
                os.close(self._write_fd)
