"""The kernel tells of files that come into folders (inotify(7)): by hand over ctypes, two calls."""

from __future__ import annotations

import ctypes
import os
import select
import struct
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CLOSE_WRITE, _MOVED_TO = 0x8, 0x80
_DELETE_SELF, _MOVE_SELF, _UNMOUNT, _OVERFLOW, _IGNORED = 0x400, 0x800, 0x2000, 0x4000, 0x8000
_ONLY_DIR, _IS_DIR = 0x0100_0000, 0x4000_0000
_GONE = _DELETE_SELF | _MOVE_SELF | _UNMOUNT | _IGNORED
_WANTED = _CLOSE_WRITE | _MOVED_TO | _DELETE_SELF | _MOVE_SELF | _ONLY_DIR
_EVENT = struct.Struct("=iIII")
_BUFFER = 1 << 16


class FolderGone(Exception):
    """A folder that is watched was removed, moved or unmounted; ``str`` is its path."""


class Overflow(Exception):
    """More came than the kernel keeps in mind: what came since the last call is to be looked for."""


class Inotify:
    """Tells which files were closed after writing, or moved into one of these folders.

    Args:
        folders: that are watched, not those below them.

    Raises:
        OSError: one is not there, or is no folder, or the kernel watches too much already.
    """

    def __init__(self, folders: list[str]) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._call("inotify_init1", os.O_NONBLOCK | os.O_CLOEXEC)
        self._folders: dict[int, str] = {}
        try:
            for folder in folders:
                number = self._call("inotify_add_watch", self._fd, os.fsencode(folder), _WANTED)
                self._folders[number] = folder
        except OSError:
            self.close()
            raise

    def wait(self, deadline: float) -> bool:
        """Wait until there is something to tell; False when nothing is by then (CLOCK_MONOTONIC, seconds)."""
        poll = select.poll()
        poll.register(self._fd, select.POLLIN)
        return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))

    def told(self) -> Iterator[tuple[str, str]]:
        """Give folder and name of each file that came since the last call, in that order.

        Raises:
            FolderGone: a folder is gone.
            Overflow: some were left out; those before are given first.
        """
        while data := self._read():
            at = 0
            while at < len(data):
                number, mask, _, length = _EVENT.unpack_from(data, at)
                at += _EVENT.size + length
                if mask & _OVERFLOW:
                    raise Overflow
                if mask & _GONE:
                    raise FolderGone(self._folders[number])
                if not mask & _IS_DIR:
                    name = data[at - length : at].rstrip(b"\0")
                    yield self._folders[number], os.fsdecode(name)

    def close(self) -> None:
        """Stop watching. Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _read(self) -> bytes:
        try:
            return os.read(self._fd, _BUFFER)
        except BlockingIOError:
            return b""

    def _call(self, name: str, *arguments: int | bytes) -> int:
        result = int(getattr(self._libc, name)(*arguments))
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return result
