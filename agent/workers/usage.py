"""Memory and CPU time of a process, from files that are opened while it can be seen.

A confined worker closes itself to others of its user, and under systemd's ProtectProc=invisible it is then
not even listed: what is opened before stays readable (proc(5), hidepid).
"""

from __future__ import annotations

import os
import time

_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")
_MOST_BYTES = 4096
_HIDDEN_S = 0.2
"""How long a process that has just begun its program may stay hidden: where we are closed to others it begins
closed, too, until the kernel has gone through execve(2). That took 0.6 to 4 ms on a busy machine."""
_AGAIN_S = 0.001


class Usage:
    """What a process uses, for as long as it lives.

    Args:
        pid: the process.
    """

    def __init__(self, pid: int) -> None:
        give_up = time.monotonic() + _HIDDEN_S
        self._statm = _opened(f"/proc/{pid}/statm", give_up)
        self._stat = _opened(f"/proc/{pid}/stat", give_up)

    def rss_bytes(self) -> int | None:
        """Give the memory that it has in RAM, shared pages included; None when that cannot be read."""
        fields = _read(self._statm).split()
        return int(fields[1]) * _PAGE if len(fields) > 1 else None

    def cpu_seconds(self) -> float | None:
        """Give the CPU time that it has used, in user and kernel mode; None when that cannot be read."""
        fields = _read(self._stat).rpartition(b")")[2].split()  # its name may hold anything
        return (int(fields[11]) + int(fields[12])) / _TICKS if len(fields) > 12 else None

    def close(self) -> None:
        """Free the descriptors. Idempotent."""
        for fd in (self._statm, self._stat):
            if fd is not None:
                os.close(fd)
        self._statm = self._stat = None


def _opened(path: str, give_up: float) -> int | None:
    while True:
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # it is hidden still, or already; or it has ended
            if time.monotonic() >= give_up:
                return None
        except OSError:
            return None
        time.sleep(_AGAIN_S)


def _read(fd: int | None) -> bytes:
    try:
        return b"" if fd is None else os.pread(fd, _MOST_BYTES, 0)
    except OSError:  # it has ended
        return b""
