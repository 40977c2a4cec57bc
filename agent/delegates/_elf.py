"""Looks at a library's file before it is loaded.

A file that was cut short, by a power cut or an aborted copy, can be loaded and then kills the process that
reads the missing part of it (SIGBUS). Its headers say how long it must be. The layout is that of elf(5).
"""

from __future__ import annotations

import functools
import os
import stat
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

_MAGIC = b"\x7fELF"
_SHARED = 3
"""ET_DYN: a shared library."""
_LOADED = 1
"""PT_LOAD: a part that is mapped."""
_MACHINES = {3: "x86", 40: "32-bit ARM", 62: "x86-64", 183: "64-bit ARM", 243: "RISC-V"}
_HEADER = {1: "HHIIIIIHHHHHH", 2: "HHIQQQIHHHHHH"}
_SEGMENT = {1: "IIIIIIII", 2: "IIQQQQQQ"}
_ORDER = {1: "<", 2: ">"}
_IDENT = 16
_MOST_TABLE = 1 << 20
"""Bytes of a table of segments that are read: real ones have a few hundred."""

Kind = tuple[int, int, int]
"""Word length (1: 32 bits, 2: 64 bits), byte order (1: little, 2: big), and machine."""


@dataclass(frozen=True, slots=True)
class _Header:
    """What is needed of an ELF header."""

    kind: Kind
    shared: bool
    segments: tuple[int, int, int]
    sections: tuple[int, int, int]


def check(path: str, here: Kind | None = None) -> str:
    """Say in a few words why ``path`` is no library that can be loaded here; "" when nothing is known.

    Never raises. What its headers do not tell is found when it is loaded.

    Args:
        path: of the file.
        here: what it must be for; None for what this process is.
    """
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except (OSError, ValueError) as error:
        return _unreadable(error)
    try:
        about = os.fstat(file)
        if stat.S_ISDIR(about.st_mode):
            return "is a folder"
        if not stat.S_ISREG(about.st_mode):
            return "is no file"
        return _check(file, about.st_size, here or _here())
    except OSError as error:
        return _unreadable(error)
    finally:
        os.close(file)


def _unreadable(error: OSError | ValueError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return "is not there"
    return f"cannot be read: {(error.strerror if isinstance(error, OSError) else None) or error}"


def _check(file: int, size: int, here: Kind | None) -> str:
    if not size:
        return "is empty"
    header = _header(os.pread(file, 64, 0))
    if isinstance(header, str):
        return header
    if here is not None and header.kind != here:
        return f"is for {_machine(header.kind)}, and this is {_machine(here)}"
    if not header.shared:
        return "is a program or an object file, and no shared library"
    wanted = _length(file, header, size)
    return f"is cut short: {size} bytes are there of at least {wanted}" if wanted > size else ""


def _header(start: bytes) -> _Header | str:
    """Read the header, or say what is wrong with it."""
    if not start.startswith(_MAGIC[: len(start)]) or start[4:5] not in (b"", b"\x01", b"\x02"):
        return "is no shared library"
    layout = _HEADER[start[4]] if len(start) > 5 else _HEADER[2]
    wanted = _IDENT + struct.calcsize("=" + layout)
    if len(start) < wanted:
        return f"is cut short: {len(start)} bytes are there of at least {wanted}"
    if start[5] not in _ORDER:
        return "is no shared library"
    words = struct.unpack_from(_ORDER[start[5]] + layout, start, _IDENT)
    kind, machine, phoff, shoff = words[0], words[1], words[4], words[5]
    phentsize, phnum, shentsize, shnum = words[8:12]
    return _Header(
        (start[4], start[5], machine), kind == _SHARED, (phoff, phentsize, phnum), (shoff, shentsize, shnum)
    )


def _length(file: int, header: _Header, size: int) -> int:
    """How long the file must be: its tables, and the parts that are mapped."""
    wanted = max(at + entry * count for at, entry, count in (header.segments, header.sections))
    at, entry, count = header.segments
    layout = _ORDER[header.kind[1]] + _SEGMENT[header.kind[0]]
    if at + entry * count > size or not struct.calcsize(layout) <= entry <= _MOST_TABLE // max(count, 1):
        return wanted
    table = os.pread(file, entry * count, at)
    for number in range(count):
        words = struct.unpack_from(layout, table, number * entry)
        offset, length = (words[1], words[4]) if header.kind[0] == 1 else (words[2], words[5])
        if words[0] == _LOADED:
            wanted = max(wanted, offset + length)
    return wanted


@functools.cache
def _here() -> Kind | None:
    """What this process is: Python's own program tells, also where the kernel has longer words."""
    headers = (_header(_start(path)) for path in ("/proc/self/exe", sys.executable))
    return next((one.kind for one in headers if isinstance(one, _Header)), None)


def _start(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(64)
    except OSError:  # hidden from this process
        return b""


def _machine(kind: Kind) -> str:
    return _MACHINES.get(kind[2], f"another machine (ELF number {kind[2]})")
