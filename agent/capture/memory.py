"""The memory of one slot of the ring: written by the capture process, and read in place by workers."""

from __future__ import annotations

import math
import mmap
import os
from typing import TYPE_CHECKING

import numpy as np

from agent.capture import protocol
from agent.errors import InputRejected, MessageInvalid
from agent.processes import memfd

if TYPE_CHECKING:
    from agent.types import Array

MOST_BYTES = 64 << 20
"""Of one frame."""
_FUTURE_WRITE = 0x10
"""F_SEAL_FUTURE_WRITE of fcntl.h, which Python does not name: no writable mapping but those that exist."""
_PAGE = mmap.PAGESIZE


class Area:
    """Memory for frames of up to a size; only its maker can write it, where the kernel can do that.

    Args:
        size: bytes of the frame that it is made for.

    Raises:
        OSError: there is no memory for it.
    """

    def __init__(self, size: int) -> None:
        self.size = -(-size // _PAGE) * _PAGE
        self._shape: tuple[str, tuple[int, ...]] = "", ()
        self._array: Array = np.empty(0)
        self.fd = memfd.create("edge-agent-frame", self.size)
        try:
            self._map = mmap.mmap(self.fd, self.size)
            try:
                memfd.seal(self.fd, memfd.SIZED | _FUTURE_WRITE)
            except OSError:  # a kernel before 5.1
                memfd.seal(self.fd, memfd.SIZED)
        except OSError:
            self.close()
            raise

    def view(self, dtype: str, dims: tuple[int, ...]) -> Array:
        """Give where a frame of this shape lies in it."""
        if (dtype, dims) != self._shape:
            self._shape, self._array = (dtype, dims), _view(self._map, dtype, dims)
        return self._array

    def close(self) -> None:
        """Close the descriptor; the memory goes with those that read it. Idempotent."""
        self._shape, self._array = ("", ()), np.empty(0)
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def check(data: Array) -> None:
    """See that a frame can be shared.

    Raises:
        InputRejected: it is too large.
    """
    if data.nbytes > MOST_BYTES:
        problem = f"it has {data.nbytes >> 20} MB, at most {MOST_BYTES >> 20} can be shared"
        raise InputRejected("share frame", f"{list(data.shape)}", problem, "Use a smaller resolution")


class Window:
    """Where a worker reads a slot.

    Args:
        fd: of the memory; the caller's to close.

    Raises:
        MessageInvalid: its size is not sealed, or nothing is in it.
        OSError: it cannot be mapped.
    """

    def __init__(self, fd: int) -> None:
        size = memfd.checked(fd, memfd.SIZED)
        if not size:
            raise MessageInvalid("read frame", "of shared memory", "it is empty")
        self._map = mmap.mmap(fd, size, prot=mmap.PROT_READ)
        self._shape, self._array = b"", np.empty(0)

    def view(self, shape: bytes) -> Array:
        """Give the frame that lies there: read only, and no copy.

        Args:
            shape: of the frame, as packets have it.

        Raises:
            MessageInvalid: it is none, or there is no room for one of that shape.
        """
        if shape != self._shape:
            read = protocol.shape_of(shape)
            if read.nbytes > len(self._map):
                problem = f"{list(read.dims)} {read.dtype} is more than its {len(self._map)} bytes"
                raise MessageInvalid("read frame", "of shared memory", problem)
            self._shape, self._array = shape, _view(self._map, read.dtype, read.dims)
        return self._array


def _view(shared: mmap.mmap, dtype: str, dims: tuple[int, ...]) -> Array:
    return np.frombuffer(shared, dtype, math.prod(dims)).reshape(dims)
