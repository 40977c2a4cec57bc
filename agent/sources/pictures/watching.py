"""Files as they come into folders: none half written, each once, in the order of their coming."""

from __future__ import annotations

import errno
import heapq
import os
import time
from collections import deque
from fnmatch import fnmatch
from glob import has_magic
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from agent.errors import SourceLost
from agent.sources._inotify import FolderGone, Inotify, Overflow
from agent.sources.pictures.listing import SUFFIXES, natural_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MAX_FILES = 10_000
"""How many paths are kept in mind at a time; those after them are looked for when these are done."""
_OP = "watch images"
_YOUNG_S = 2.0
"""A file that was there before us, and has changed within this time, may not be whole yet."""

Place = tuple[str, str]
"""A folder, and the pattern that the names in it must fit; "" for any picture's name."""


def places(paths: Sequence[str]) -> list[Place]:
    """Take paths apart: a folder, or a folder and the pattern of names in it.

    Raises:
        ValueError: a pattern spans folders.
    """
    found = []
    for path in paths:
        folder, _, name = path.rpartition("/")
        if not has_magic(path) or Path(path).is_dir():
            found.append((path, ""))
        elif has_magic(folder) or "**" in name:
            raise ValueError(f"{path}: with watch only the last part of a pattern may be one")
        else:
            found.append((folder or ("/" if path.startswith("/") else "."), name))
    return found


class Watching:
    """Files that come into folders.

    Args:
        wanted: where, and which.
        backlog_s: files that came so long before now are given, too; seconds.

    Raises:
        SourceLost: a folder is not there, or cannot be watched.
    """

    def __init__(self, wanted: Sequence[Place], backlog_s: float) -> None:
        self._wanted = wanted
        self._queue: deque[str] = deque()
        self._young: dict[str, tuple[int, float]] = {}
        """Size, and when to look again (CLOCK_MONOTONIC), of files that may not be whole yet."""
        self._more = False
        self._gone = ""
        self._told: set[str] = set()
        """What a scan has found, or the kernel told, since all that it had to tell was taken."""
        self._since_ns = time.time_ns() - int(backlog_s * 1e9)
        try:
            self._inotify = Inotify([folder for folder, _ in wanted])
            self._scan()
        except OSError as error:
            self.close()
            raise self._lost(error) from error
        self._listen()  # what came while we looked is known by now

    def next(self, timeout_s: float) -> str | None:
        """Give the next file, or None when none comes in time.

        Raises:
            SourceLost: a folder is gone; what came before was given.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            if self._queue:
                return self._queue.popleft()
            if self._gone:
                raise SourceLost(_OP, self._gone, "the folder is gone", "Make or mount it again")
            if self._more:
                self._look_again()
            elif self._inotify.wait(min([deadline, *(due for _, due in self._young.values())])):
                self._listen()
            elif not self._grow_up() and time.monotonic() >= deadline:
                return None

    def close(self) -> None:
        """Stop watching. Idempotent."""
        if hasattr(self, "_inotify"):
            self._inotify.close()

    def _listen(self) -> None:
        """Take what the kernel tells."""
        now_ns = time.time_ns()
        try:
            for folder, name in self._inotify.told():
                path = os.path.join(folder, name)  # noqa: PTH118 - no Path for each of a hundred thousand
                if any(folder == place and _fits(name, pattern) for place, pattern in self._wanted):
                    self._take(path)
        except Overflow:
            self._more = True
        except FolderGone as gone:
            self._gone = str(gone)
        if not self._more:
            self._since_ns = now_ns
            self._told.clear()

    def _take(self, path: str) -> None:
        """Take a file that is whole now, unless it is known to be."""
        young = self._young.pop(path, None)
        if (young is None and path in self._told) or _size(path) == 0:  # an empty one is about to be written
            return
        self._told.add(path)
        self._queue.append(path)

    def _look_again(self) -> None:
        """Look for what the kernel could not tell."""
        try:
            self._scan()
        except OSError as error:
            raise self._lost(error) from error
        self._listen()

    def _scan(self) -> None:
        """Find what has come since the last time, oldest first."""
        now_ns, self._more, before_ns = time.time_ns(), False, self._since_ns
        found = heapq.nsmallest(MAX_FILES + 1, self._arrived())
        if len(found) > MAX_FILES:
            self._more = True
            self._since_ns = found.pop()[0]
        young_ns, look_at = now_ns - int(_YOUNG_S * 1e9), time.monotonic() + _YOUNG_S
        for came_ns, together in groupby(found, lambda one: one[0]):
            for _, path, size in sorted(together, key=lambda one: natural_key(one[1])):
                if came_ns < young_ns:
                    self._queue.append(path)
                else:
                    self._young[path] = (size, look_at)
        known = self._told if self._since_ns == before_ns else set()  # so many came in one tick of its clock
        self._told = known | {path for _, path, _ in found}

    def _arrived(self) -> Iterator[tuple[int, str, int]]:
        """Give when each file came, its path and size.

        A file comes when its inode changes (ctime): it is written, or moved here.
        """
        for folder, pattern in self._wanted:
            with os.scandir(folder) as entries:
                for entry in entries:
                    if _fits(entry.name, pattern) and entry.path not in self._told and entry.is_file():
                        about = entry.stat()
                        if about.st_ctime_ns >= self._since_ns and about.st_size:
                            yield about.st_ctime_ns, entry.path, about.st_size

    def _grow_up(self) -> bool:
        """Take the young files whose size stood still; give whether there were any to look at."""
        now = time.monotonic()
        due = [path for path, (_, look_at) in self._young.items() if look_at <= now]
        for path in due:
            size, _ = self._young.pop(path)
            if (found := _size(path)) == size:
                self._queue.append(path)
            elif found > 0:
                self._young[path] = (found, now + _YOUNG_S)
        return bool(due)

    def _lost(self, error: OSError) -> SourceLost:
        folders = ", ".join(folder for folder, _ in self._wanted)[:200]
        problem = (error.strerror or str(error)).lower()
        hint = "Make or mount it, and let the agent's user read it"
        if error.errno in {errno.ENOSPC, errno.EMFILE}:
            hint = "Raise fs.inotify.max_user_watches or max_user_instances: sysctl(8)"
        return SourceLost(_OP, folders, problem, hint)


def _fits(name: str, pattern: str) -> bool:
    return fnmatch(name, pattern or "*") and Path(name).suffix.lower() in SUFFIXES


def _size(path: str) -> int:
    """Give its size, bytes; -1 for none: whoever reads it says so."""
    try:
        return os.stat(path).st_size  # noqa: PTH116 - as above
    except OSError:
        return -1
