"""A file on its way: what of it is on disk was proved, chunk by chunk, before it was written.

Nothing is noted beside it. After a death or a power cut each chunk is hashed again, and those that are torn
or missing are asked for.
"""

from __future__ import annotations

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Self

from agent.errors import BundleRefused, FetchFailed
from agent.updater import refusals
from agent.updater.targets import TRIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future
    from pathlib import Path

    from agent.manifest import FileEntry
    from agent.updater.seams import Shelf

_SYNC_BYTES = 4 << 20
"""What goes to the disk at a time, while as much again comes; a power cut costs no more than twice this."""
_BLOCK = 1 << 20
_MOST_NAMED = 8


class Part:
    """One file of a bundle, open; a context manager.

    Args:
        path: where it is written; what is there already is kept as far as it is right.
        entry: what the manifest says of it.

    Attributes:
        missing: numbers of the chunks that are not there yet, in order.

    Raises:
        OSError: the disk refuses; so for all that follows.
    """

    def __init__(self, path: Path, entry: FileEntry) -> None:
        self._entry = entry
        self._unsynced = 0
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="sync")  # no thread before the first use
        self._syncing: Future[None] | None = None
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        self.missing = self._torn()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.shutdown()
        os.close(self._fd)

    @property
    def done(self) -> int:
        """Bytes that are there."""
        return self._entry.size - sum(self._length(number) for number in self.missing)

    def put(self, number: int, data: bytes) -> bool:
        """Write a chunk if it is the right one; say whether it is."""
        if len(data) != self._length(number) or _sha256(data) != self._entry.hashes[number]:
            return False
        _write(self._fd, data, number * self._entry.chunk_size)
        self._unsynced += len(data)
        if self._unsynced >= _SYNC_BYTES:
            self._synced()
            self._syncing, self._unsynced = self._writer.submit(os.fdatasync, self._fd), 0
        return True

    def finish(self) -> bool:
        """Make the file durable, and say meanwhile whether it is, as a whole, the one that was signed."""
        self._synced()
        os.ftruncate(self._fd, self._entry.size)
        os.fchmod(self._fd, 0o600)
        self._syncing = self._writer.submit(os.fsync, self._fd)
        whole = hashlib.sha256()
        for at in range(0, self._entry.size, _BLOCK):
            whole.update(os.pread(self._fd, _BLOCK, at))
        self._synced()
        return whole.hexdigest() == self._entry.sha256

    def _synced(self) -> None:
        """Wait for what is on its way to the disk, and hear what that says."""
        if self._syncing is not None:
            self._syncing.result()

    def _torn(self) -> list[int]:
        size = os.fstat(self._fd).st_size
        here = -(-size // self._entry.chunk_size)
        return [
            number
            for number, wanted in enumerate(self._entry.hashes)
            if number >= here or _sha256(self._read(number)) != wanted
        ]

    def _read(self, number: int) -> bytes:
        return os.pread(self._fd, self._length(number), number * self._entry.chunk_size)

    def _length(self, number: int) -> int:
        return min(self._entry.chunk_size, self._entry.size - number * self._entry.chunk_size)


def fill(part: Part, entry: FileEntry, shelf: Shelf, came: Callable[[int], None]) -> None:
    """Fetch what a file lacks, and make it durable.

    Args:
        part: the file.
        entry: what the manifest says of it.
        shelf: who holds it.
        came: told the bytes of each chunk that came and was right.

    Raises:
        FetchFailed: chunks come damaged every time; those that were right are kept.
        Absent: some are not there; the others are kept.
        LinkLost: the other side is away.
        BundleRefused: the chunks are those that were signed, and make another file.
        OSError: the disk refuses.
    """
    for _ in range(TRIES):
        if not part.missing:
            break
        _ask(part, entry, shelf, came)
    if part.missing:
        problem = f"chunks {_named(part.missing)} came damaged {TRIES} times, or not at all"
        raise FetchFailed("fetch", entry.path, problem, refusals.HEAL)
    if not part.finish():
        problem = f"files: the chunks of {entry.path} do not make the file that is signed"
        raise BundleRefused("take model", entry.path, problem, "Pack it again", rule="manifest")


def _ask(part: Part, entry: FileEntry, shelf: Shelf, came: Callable[[int], None]) -> None:
    wanted = set(part.missing)
    try:
        for number, data in shelf.chunks(entry.sha256, tuple(part.missing), entry.chunk_size):
            if number in wanted and part.put(number, data):
                wanted.discard(number)
                came(len(data))
    finally:
        part.missing = sorted(wanted)


def _write(fd: int, data: bytes, at: int) -> None:
    written = 0
    while written < len(data):
        written += os.pwrite(fd, data[written:], at + written)


def _named(numbers: Iterable[int]) -> str:
    """Name some numbers, and how many more there are."""
    every = list(numbers)
    more = len(every) - _MOST_NAMED
    return ", ".join(map(str, every[:_MOST_NAMED])) + (f" and {more} more" if more > 0 else "")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
