"""What other users of the machine see of our command line: no password."""

from __future__ import annotations

import ctypes
from pathlib import Path

from agent.fleet.databases import shown

_ARG_START, _ARG_END = 45, 46
"""Fields 48 and 49 of /proc/PID/stat (proc(5)), counted from behind the program's name."""


def hide_password(url: str) -> None:
    """Write what may be shown of a database's URL over it, where the kernel reads our command line.

    Raises:
        ConfigInvalid: it is no URL of a database.
        ExtraMissing: PostgreSQL's library is not installed.
    """
    secret, plain = url.encode(), shown(url).encode()
    stat = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace")
    fields = stat.rpartition(")")[2].split()
    start, end = int(fields[_ARG_START]), int(fields[_ARG_END])
    if not start or len(plain) > len(secret):
        return
    memory = (ctypes.c_char * (end - start)).from_address(start)
    at = memory.raw.find(secret)
    if secret != plain and at >= 0:
        ctypes.memmove(start + at, plain.ljust(len(secret)), len(secret))
