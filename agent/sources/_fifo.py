"""A named pipe that is never waited for longer than asked."""

from __future__ import annotations

import errno
import os
import select
import stat
import time

from agent.errors import SourceLost

_OP = "read pipe"
_HINT = "Start the program that writes into it; the pipe is opened again"
_PIECE = 1 << 16


class Fifo:
    """Open for reading, with or without a writer.

    Args:
        path: of the pipe.

    Raises:
        SourceLost: there is none, or it is something else.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            problem = (error.strerror or str(error)).lower()
            hint = (
                f"Make it: mkfifo {path}" if error.errno == errno.ENOENT else "Let the agent's user read it"
            )
            raise SourceLost(_OP, path, problem, hint) from error
        if not stat.S_ISFIFO(os.fstat(self._fd).st_mode):
            self.close()
            raise SourceLost(_OP, path, "it is no named pipe", "Name one that mkfifo has made")

    def wait(self, deadline: float) -> bool:
        """Wait until there is something to read, or the writer has gone; False when neither in time."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))

    def read(self) -> bytes:
        """Give what is there, 64 KiB at most; b"" when another reader took it.

        Raises:
            SourceLost: the writer has gone.
        """
        try:
            data = os.read(self._fd, _PIECE)
        except BlockingIOError:
            return b""
        self._check(len(data))
        return data

    def read_into(self, view: memoryview) -> int:
        """Read into ``view``, and give how many bytes that were; 0 when another reader took them.

        Raises:
            SourceLost: the writer has gone.
        """
        try:
            count = os.readv(self._fd, [view])
        except BlockingIOError:
            return 0
        self._check(count)
        return count

    def close(self) -> None:
        """Close it. Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _check(self, count: int) -> None:
        if not count:
            raise SourceLost(_OP, self._path, "the program that wrote into it has ended", _HINT)
