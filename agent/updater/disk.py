"""The disk below an updater: its folders, and what its refusals mean."""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from agent.errors import DiskFull, StoreBusy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def refusing(op: str, subject: Path) -> Iterator[None]:
    """Say in our words what the disk refuses.

    Raises:
        DiskFull: it has no room.
        StoreBusy: anything else.
    """
    try:
        yield
    except OSError as error:
        problem = error.strerror or str(error)
        if error.errno in _FULL:
            hint = "Free some room on it; what has come is kept, and the rest is fetched later"
            raise DiskFull(op, str(subject), problem, hint) from error
        hint = "Look at the disk: is it read-only, or damaged?"
        raise StoreBusy(op, str(subject), problem, hint) from error


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Work in a folder in which no other updater does: one may be left that its driver holds in the kernel.

    Raises:
        StoreBusy: another one is at work there.
    """
    with refusing("open", folder):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            hint = "Wait until it has ended"
            raise StoreBusy("fetch into", str(folder), "another updater is at work there", hint) from error
        yield
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Make a folder, and those above it, for this user alone.

    Raises:
        OSError: the disk refuses.
    """
    for one in (*reversed(path.parents), path):
        if not one.exists():
            one.mkdir(mode=0o700)


def free_bytes(path: Path) -> int:
    """Give the room that is left to this user on the disk of a folder, bytes.

    Raises:
        OSError: it is not there.
    """
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def disk_bytes(path: Path) -> int:
    """Give the size of the disk of a folder, bytes.

    Raises:
        OSError: it is not there.
    """
    found = os.statvfs(path)
    return found.f_blocks * found.f_frsize
