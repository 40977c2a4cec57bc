"""A recording is a tar archive of plain files; here are its members, read and written one at a time.

Only what we write is read: regular files whose names need no extension of the format. Python's own reader
follows links and headers of any length, and is not for files that nobody vouches for.
"""

from __future__ import annotations

import os
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from agent.errors import InputRejected

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = tarfile.BLOCKSIZE
END = bytes(2 * BLOCK)
"""What an archive ends with; a recording that was cut short lacks it."""
_MODE = 0o644


@dataclass(frozen=True, slots=True)
class Member:
    """A file in the archive: its name, where its data begins, and how long it is, bytes."""

    name: str
    at: int
    size: int


class Cut(Exception):
    """The archive ends where more should come."""


def member(name: str, data: bytes) -> bytes:
    """Give the bytes of one member: its header, its data, and zeros up to the next block."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), _MODE
    return info.tobuf(tarfile.USTAR_FORMAT) + data + bytes(-len(data) % BLOCK)


def members(file: BinaryIO, path: str) -> Iterator[Member]:
    """Give the members in their order; the data of each is passed over.

    Args:
        file: the archive; its position may be moved between two members.
        path: what errors call it.

    Raises:
        Cut: the archive ends within a member, or without its end.
        InputRejected: what stands there is no member of a recording.
        OSError: it cannot be read.
    """
    size = file.seek(0, os.SEEK_END)
    at = 0
    while True:
        file.seek(at)
        header = file.read(BLOCK)
        if len(header) < BLOCK:
            raise Cut
        if not any(header):
            return
        try:
            info = tarfile.TarInfo.frombuf(header, "ascii", "strict")
        except (tarfile.HeaderError, UnicodeDecodeError) as error:
            raise damaged(path, f"byte {at} is no header of a tar archive") from error
        if info.type != tarfile.REGTYPE or info.size < 0:
            raise damaged(path, f"byte {at} is the header of something else than a file")
        following = at + BLOCK + info.size + -info.size % BLOCK
        if following > size:
            raise Cut
        yield Member(info.name, at + BLOCK, info.size)
        at = following


def content(file: BinaryIO, one: Member, most: int, path: str) -> bytes:
    """Read the data of a member of at most ``most`` bytes.

    Raises:
        InputRejected: it is longer.
        Cut: the file has become shorter meanwhile.
        OSError: it cannot be read.
    """
    if one.size > most:
        raise damaged(path, f"{one.name[:60]} has {one.size} bytes, {most} are allowed")
    file.seek(one.at)
    data = file.read(one.size)
    if len(data) < one.size:
        raise Cut
    return data


def damaged(path: str, problem: str) -> InputRejected:
    """Make the error of a file that is no sound recording."""
    return InputRejected("read recording", path, problem, "Copy it again, or record it again")
