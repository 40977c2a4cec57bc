"""Files between the agent and the helper: small, and read without trust in who wrote them."""

from __future__ import annotations

import os
import shutil
import stat
from typing import TYPE_CHECKING

from agent.documents.helper import MAX_BYTES
from agent.errors import Rejected

if TYPE_CHECKING:
    from pathlib import Path

_OP = "read request"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def read_hostile(folder: Path, name: str) -> bytes | None:
    """Read a file out of a folder that somebody else owns; None when there is none.

    Raises:
        Rejected: it is no small plain file of the folder's owner, or a link is in the way.
    """
    try:
        inside = os.open(folder, _FOLDER)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Rejected(_OP, str(folder), error.strerror or "it cannot be opened") from error
    try:
        # A pipe would wait for its writer without O_NONBLOCK.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        descriptor = os.open(name, flags, dir_fd=inside)
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
                raise Rejected(_OP, name, "it is no plain file")
            if found.st_uid != os.fstat(inside).st_uid:
                raise Rejected(_OP, name, "it is not the folder owner's")
            return _small(os.read(descriptor, MAX_BYTES + 1), name)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Rejected(_OP, name, error.strerror or "it cannot be opened") from error
    finally:
        os.close(inside)


def remove_hostile(folder: Path, name: str) -> bool:
    """Remove a file from such a folder, whatever it is, for good; say whether it was there.

    Raises:
        OSError: it cannot be removed.
    """
    inside = os.open(folder, _FOLDER)
    try:
        try:
            os.unlink(name, dir_fd=inside)
        except IsADirectoryError:  # left there, it would end each start of the helper
            shutil.rmtree(name, dir_fd=inside)
        os.fsync(inside)
    except FileNotFoundError:
        return False
    finally:
        os.close(inside)
    return True


def read_own(path: Path) -> bytes | None:
    """Read a small file of a folder that only root writes; None when there is none, or it cannot be read."""
    try:
        with path.open("rb") as file:
            return _small(file.read(MAX_BYTES + 1), path.name)
    except OSError:
        return None


def _small(content: bytes, name: str) -> bytes:
    if len(content) > MAX_BYTES:
        raise Rejected(_OP, name, f"it has more than {MAX_BYTES} bytes")
    return content
