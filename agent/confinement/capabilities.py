"""What root may do, piece by piece (capabilities(7)); of the thread that calls."""

from __future__ import annotations

import ctypes
import os
import struct

_VERSION_3 = 0x20080522
_LOW = 0xFFFFFFFF
READ_ALL = 1 << 2
"""CAP_DAC_READ_SEARCH: read every file, and pass through every folder."""
READ = 1 << 1 | READ_ALL
"""CAP_DAC_OVERRIDE, which files of other users need in some containers, and the one above."""


def held() -> tuple[int, int]:
    """Give the sets that are in force, and that may be: bits by the kernel's numbers.

    Raises:
        OSError: the kernel refuses.
    """
    sets = ctypes.create_string_buffer(24)
    _call("capget", sets)
    low, low_permitted, _, high, high_permitted, _ = struct.unpack("=6I", sets.raw)
    return low | high << 32, low_permitted | high_permitted << 32


def hold(effective: int, permitted: int) -> None:
    """Hold these; nothing goes on to programs that are started.

    Raises:
        OSError: the kernel refuses.
    """
    low, low_permitted = effective & _LOW, permitted & _LOW
    _call("capset", struct.pack("=6I", low, low_permitted, 0, effective >> 32, permitted >> 32, 0))


def _call(name: str, sets: ctypes.Array[ctypes.c_char] | bytes) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(struct.pack("=Ii", _VERSION_3, 0), sets) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code), name)
