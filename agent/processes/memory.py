"""Gives back, once a program has begun, what only its beginning needed.

Two things are left over: free blocks that malloc keeps (malloc_trim(3)), and pages of libraries that were
mapped to link and initialise them. Two thirds of what NumPy, OpenCV and LiteRT map is never looked at again.
A page that is given back and needed after all is mapped again from the page cache, or read from its file.
"""

from __future__ import annotations

import ctypes
import gc
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_M_ARENA_MAX = -8
_MADV_DONTNEED = 4
_MAPPINGS = Path("/proc/self/smaps")

Ranges = tuple[tuple[int, int], ...]
"""Parts of this process's memory: first address, and the one after the last."""


def one_arena() -> None:
    """Have all threads that begin from now on share one heap: one each is rarely full, and never empty.

    Python's objects have heaps of their own, and threads that compute allocate little: the lock is no matter.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # musl has none
        libc.mallopt(_M_ARENA_MAX, 1)


def settle() -> Ranges:
    """Give back all that was needed to begin; give where libraries stay mapped, for ``give_back``.

    The rule of ``let_go`` holds here, too.
    """
    gc.unfreeze()  # what an earlier life of the agent had is rubbish by now
    gc.collect()
    gc.freeze()  # what lives now lives on: later collections need not look at it
    trim()
    ranges = let_go()
    stay = {path: _stays(path) for path in ranges.values()}
    return tuple(place for place, path in ranges.items() if stay[path])


def let_go() -> dict[tuple[int, int], str]:
    """Give back pages of libraries that are as their files are; give where these are mapped, and their files.

    No other thread may load a library meanwhile: a mapping that has just been made would lose what the loader
    writes into it. A kernel without /proc/self/smaps (CONFIG_PROC_PAGE_MONITOR) keeps what it has mapped.
    """
    try:
        with _MAPPINGS.open(errors="surrogateescape") as lines:  # a file's name is any bytes
            found = dict(untouched(lines))
    except OSError:
        return {}
    _unmap(tuple(found))
    return found


def _stays(path: str) -> bool:
    """See to it that a library is never unloaded: what was mapped in its place would lose its content."""
    dlopen = ctypes.CDLL(None).dlopen
    dlopen.argtypes, dlopen.restype = (ctypes.c_char_p, ctypes.c_int), ctypes.c_void_p
    return bool(dlopen(os.fsencode(path), os.RTLD_LAZY | os.RTLD_NOLOAD | os.RTLD_NODELETE))


def give_back(ranges: Ranges) -> None:
    """Give back what work after ``settle`` has left, where it has named libraries. Safe from any thread."""
    trim()
    _unmap(ranges)


def _unmap(ranges: Ranges) -> None:
    """Give back pages of libraries that ``settle`` has named. Safe from any thread: they stay loaded."""
    madvise = ctypes.CDLL(None).madvise
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for begin, end in ranges:
        madvise(begin, end - begin, _MADV_DONTNEED)  # it fails where memory is locked: then it stays


def trim() -> None:
    """Give back the free blocks that malloc keeps. Safe from any thread."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):
        libc.malloc_trim(ctypes.c_size_t(0))


def untouched(lines: Iterable[str]) -> Iterator[tuple[tuple[int, int], str]]:
    """Name the mappings of libraries that are as their files are: read-only, private, no page of their own.

    Args:
        lines: those of /proc/PID/smaps, see proc_pid_smaps(5).

    Yields:
        First address and the one after the last, and the file. What the loader has written into, RELRO, is
        not among them, neither where it is in memory nor where it was swapped out.
    """
    mapping: tuple[tuple[int, int], str] | None = None
    for line in lines:
        if not line[0].isupper():  # the keys begin with a capital, addresses don't
            place, rights, _, _, inode, *name = line.split(maxsplit=5)
            begin, end = (int(one, 16) for one in place.split("-"))
            path = name[0].rstrip("\n") if name else ""
            ours = rights in {"r--p", "r-xp"} and inode != "0" and _is_library(path)
            mapping = ((begin, end), path) if ours else None
        elif mapping and line.startswith(("Anonymous:", "Swap:")):  # in this order
            if line.split()[1] != "0":
                mapping = None
            elif line.startswith("Swap:"):  # pages that were swapped out don't count as anonymous
                yield mapping


def _is_library(path: str) -> bool:
    name = os.path.basename(path)  # noqa: PTH119 - of hundreds of mappings, at each start
    return name.endswith(".so") or ".so." in name
