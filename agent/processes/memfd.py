"""Memory that processes share: memfds whose size is sealed before anybody else gets them.

So none of them can have another one die of SIGBUS by cutting it.
"""

from __future__ import annotations

import fcntl
import os

from agent.errors import MessageInvalid

SIZED = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW
FIXED = SIZED | fcntl.F_SEAL_WRITE


def create(name: str, size: int) -> int:
    """Give a descriptor of ``size`` bytes of zeros, not sealed yet.

    Raises:
        OSError: there is no memory for it.
    """
    fd = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(fd, size)
    except OSError:
        os.close(fd)
        raise
    return fd


def seal(fd: int, seals: int) -> None:
    """Seal it, and let nobody add or take a seal."""
    fcntl.fcntl(fd, fcntl.F_ADD_SEALS, seals | fcntl.F_SEAL_SEAL)


def checked(fd: int, seals: int) -> int:
    """Give the size of a peer's memory that has these seals.

    Raises:
        MessageInvalid: it is no memory, or not sealed so.
    """
    try:
        found = fcntl.fcntl(fd, fcntl.F_GET_SEALS)
    except OSError as error:
        raise MessageInvalid(
            "read shared memory", "of a peer", "it is no memory that can be sealed"
        ) from error
    if found & seals != seals:
        raise MessageInvalid("read shared memory", "of a peer", "its size or content is not sealed")
    return os.fstat(fd).st_size
