"""What other users of the machine see of our command line: no password."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

_ARG_START, _ARG_END = 45, 46
"""Fields 48 and 49 of /proc/PID/stat (proc(5)), counted from behind the program's name."""
_URL = re.compile(rb"(postgres(?:ql)?://)([^\0]*)")
_USUAL = re.compile(rb"(?:([\w.~-]+)(?::[^@/?#]*)?(@))?([\w.,:\[\]-]*(?:/[\w.~-]*)?)(?:\?.*)?", re.DOTALL)
"""User, password, host with port and database, parameters."""


def hide_passwords() -> None:
    """Blank the secret parts of URLs of PostgreSQL, where the kernel reads our command line."""
    stat = Path("/proc/self/stat").read_text(encoding="utf-8", errors="replace")
    fields = stat.rpartition(")")[2].split()
    start, end = int(fields[_ARG_START]), int(fields[_ARG_END])
    if not start:
        return
    memory = (ctypes.c_char * (end - start)).from_address(start)
    hidden = _URL.sub(_shown, memory.raw)
    if hidden != memory.raw:
        ctypes.memmove(start, hidden, len(hidden))


def _shown(found: re.Match[bytes]) -> bytes:
    """The URL without password and parameters, as long as it was; of an unusual one nothing but its kind."""
    usual = _USUAL.fullmatch(found[2])
    plain = b"".join(part or b"" for part in usual.groups()) if usual else b"..."
    return (found[1] + plain).ljust(len(found[0]))[: len(found[0])]
