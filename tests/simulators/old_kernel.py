"""Runs a program as on Linux 5.3: no Landlock, filters or close_range(2). ``PROGRAM``, then the command."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys

from agent.confinement import landlock, seccomp
from agent.confinement.seccomp import _ALLOW, _ARGS, _EQUAL, _ERRNO, _LOAD, _NR, _PRCTL, _RETURN, Code

_CLOSE_RANGE = 436
"""On every architecture; Linux 5.9."""
PROGRAM = [sys.executable, "-m", "tests.simulators.old_kernel"]


def program() -> Code:
    """A filter that answers as such a kernel does."""
    here = seccomp.machine()
    assert here is not None
    return [
        (_LOAD, 0, 0, _NR),
        (_EQUAL, 0, 1, landlock._CREATE_RULESET),
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
        (_EQUAL, 0, 1, _CLOSE_RANGE),
        (_RETURN, 0, 0, _ERRNO | errno.ENOSYS),
        (_EQUAL, 0, 3, _PRCTL[here.column]),
        (_LOAD, 0, 0, _ARGS),
        (_EQUAL, 0, 1, seccomp._PR_SET_SECCOMP),
        (_RETURN, 0, 0, _ERRNO | errno.EINVAL),
        (_RETURN, 0, 0, _ALLOW),
    ]


def install() -> None:
    """Put the filter on this process and what it becomes."""
    code = program()
    filled = seccomp._Program(len(code), b"".join(struct.pack("=HBBI", *one) for one in code))
    libc = ctypes.CDLL(None, use_errno=True)
    nothing = ctypes.c_ulong(0)
    assert libc.prctl(38, ctypes.c_ulong(1), nothing, nothing, nothing) == 0
    assert libc.prctl(22, ctypes.c_ulong(2), ctypes.byref(filled), nothing, nothing) == 0


if __name__ == "__main__":
    install()
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 - the tests say which
