"""Standard input, which is never waited for longer than asked."""

from __future__ import annotations

import os
import select
import stat
import time

from agent.errors import InputRejected, SourceEnded

OP, SUBJECT = "read", "standard input"
_PIECE = 1 << 16


class Stdin:
    """Reads what this process was given; implements what ``Fifo`` does, but at its end it has ended.

    Raises:
        InputRejected: nothing was given, or it is a terminal.
    """

    def __init__(self) -> None:
        try:
            self._fd = os.dup(0)
        except OSError as error:
            raise InputRejected(OP, SUBJECT, "it is closed", _HINT) from error
        mode = os.fstat(self._fd).st_mode
        if stat.S_ISCHR(mode) or stat.S_ISDIR(mode):
            problem = "it is a terminal" if os.isatty(self._fd) else "there is nothing in it"
            self.close()
            raise InputRejected(OP, SUBJECT, problem, _HINT)

    def wait(self, deadline: float) -> bool:
        """Wait until there is something to read, or its end; False when neither in time."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))

    def read(self) -> bytes:
        """Give what is there, 64 KiB at most. SourceEnded: that was all."""
        data = os.read(self._fd, _PIECE)  # it blocks, as others share it; so wait first
        if not data:
            raise SourceEnded("standard input has ended")
        return data

    def read_into(self, view: memoryview) -> int:
        """Read into ``view``, and give how many bytes that were. SourceEnded: there are no more."""
        count = os.readv(self._fd, [view])
        if not count:
            raise SourceEnded("standard input has ended")
        return count

    def close(self) -> None:
        """Let go of it. Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


_HINT = 'Pipe pictures into edge-agent infer; a service reads a named pipe: kind = "pipe"'
