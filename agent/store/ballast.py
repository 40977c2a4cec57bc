"""A file of no content that is given up when the disk is full: deleting needs room, too."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from agent.errors import StoreBusy
from agent.sqlite import refusals

if TYPE_CHECKING:
    from pathlib import Path

_SHARE = 8
"""At most an eighth of the file system."""


class Ballast:
    """The file ``ballast`` in the data folder.

    Args:
        folder: the data folder.
        size: bytes; 0 for none.
    """

    def __init__(self, folder: Path, size: int) -> None:
        self._path = folder / "ballast"
        self._size = size

    def take(self) -> None:
        """Make the file if it is not there and twice its room is free. A disk that refuses is no error."""
        if not self._size or self._path.exists():
            return
        try:
            with refusals("look at", self._path.parent):
                disk = os.statvfs(self._path.parent)
            size = min(self._size, disk.f_blocks * disk.f_frsize // _SHARE)
            if disk.f_bavail * disk.f_frsize >= 2 * size:
                self._make(size)
        except StoreBusy:
            return  # it is for bad times; when they have come already, it comes too late

    def give_up(self) -> bool:
        """Remove the file; say whether that freed anything."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True

    def _make(self, size: int) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with refusals("make", self._path):
            descriptor = os.open(self._path, flags, 0o600)
            try:
                os.posix_fallocate(descriptor, 0, size)
            except OSError:
                self._path.unlink()
                raise
            finally:
                os.close(descriptor)
