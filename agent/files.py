"""Small files that a power cut leaves whole: as they were before, or as they are after."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

NEW = ".new"
"""What is half written is called ``.<name>.new``; a kill can leave it."""


def write_durably(path: Path, content: bytes, mode: int = 0o600, *, exact: bool = False) -> None:
    """Write a file, whole or not at all; content and name are durable when this returns.

    Args:
        path: the file.
        content: what it is to hold.
        mode: who may do what with it, less what the process's umask takes.
        exact: the umask takes nothing.

    Raises:
        OSError: the disk refuses; the file is as it was before, or, when only its name is not durable, new.
    """
    new = path.with_name(f".{path.name}{NEW}")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb") as file:
        if exact:
            os.fchmod(file.fileno(), mode)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    new.rename(path)
    sync_folder(path.parent)


def advice(error: OSError) -> str:
    """Say what to do where a folder refuses what is to be written."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "Make room on its disk, and run it again"
    return "Name a folder that you may write"


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable.

    Raises:
        OSError: it is not there, or the disk refuses.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
