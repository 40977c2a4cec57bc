"""Checks a file before a decoder sees it, so that the plain problems get plain words."""

from __future__ import annotations

import stat
from pathlib import Path

from agent.errors import InputRejected


def check_file(op: str, path: str) -> int:
    """See that ``path`` is a regular file with something in it that may be read.

    Returns:
        Its size, bytes.

    Raises:
        InputRejected: it is not.
    """
    try:
        status = Path(path).stat()  # before opening: a FIFO would wait for a writer
        if not stat.S_ISREG(status.st_mode):
            raise InputRejected(op, path, "it is no regular file", "Name a file")
        with Path(path).open("rb"):
            pass
    except (OSError, ValueError) as error:
        raise unreadable(op, path, error) from error
    if status.st_size == 0:
        raise InputRejected(op, path, "the file is empty", "Copy it again")
    return status.st_size


def unreadable(op: str, path: str, error: OSError | ValueError) -> InputRejected:
    """Put what the system said about ``path`` into our words."""
    problem = error.strerror if isinstance(error, OSError) else str(error)
    return InputRejected(
        op, path, (problem or "it cannot be read").lower(), "Check the path and its permissions"
    )
