"""Memory that two processes share: a model's bytes, and the tensors of a loaded model.

Each is a memfd whose size is sealed before the other process gets it, so that neither can have the other die
of SIGBUS by cutting it. A model's bytes can't be written any more, either: what was hashed is what is loaded.
"""

from __future__ import annotations

import math
import mmap
import os
from typing import TYPE_CHECKING

import numpy as np

from agent.errors import MessageInvalid
from agent.processes import memfd

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.types import Array, TensorSpec

MOST_BYTES = 256 << 20
"""Of a model's tensors together."""
_ALIGN = 64


def sealed(data: bytes) -> int:
    """Give a descriptor of memory that holds ``data`` for good.

    Raises:
        OSError: there is no memory for it.
    """
    fd = memfd.create("edge-agent-model", 0)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(fd, rest) :]
        memfd.seal(fd, memfd.FIXED)
    except OSError:
        os.close(fd)
        raise
    return fd


def unsealed(fd: int, most: int) -> bytes:
    """Read what ``sealed`` has written, of at most ``most`` bytes.

    Raises:
        MessageInvalid: it is no memory, can still be changed, or is too large.
    """
    size = memfd.checked(fd, memfd.FIXED)
    if size > most:
        raise MessageInvalid(
            "read shared memory", "of a model", f"it has {size} bytes, at most {most} may be"
        )
    parts = []
    at = 0
    while at < size:
        parts.append(os.pread(fd, size - at, at))
        at += len(parts[-1])
    return b"".join(parts)


class Area:
    """The tensors of a loaded model, inputs first, each at a multiple of 64 bytes. Both processes write.

    Attributes:
        inputs: arrays of the shapes and types of the model's inputs.
        outputs: those of its outputs.
    """

    def __init__(self, fd: int, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> None:
        self.fd = fd
        places, size = _layout((*inputs, *outputs))
        if (found := memfd.checked(fd, memfd.SIZED)) != size:
            raise MessageInvalid(
                "read shared memory", "of tensors", f"it has {found} bytes in place of {size}"
            )
        shared = mmap.mmap(fd, size)  # unmapped with the last array that lies in it
        arrays = tuple(
            np.frombuffer(shared, spec.dtype, math.prod(spec.shape), at).reshape(spec.shape)
            for spec, at in zip((*inputs, *outputs), places, strict=True)
        )
        self.inputs: tuple[Array, ...] = arrays[: len(inputs)]
        self.outputs: tuple[Array, ...] = arrays[len(inputs) :]

    @classmethod
    def create(cls, inputs: Sequence[TensorSpec], outputs: Sequence[TensorSpec]) -> Area:
        """Make one of zeros.

        Raises:
            MessageInvalid: it would be too large.
            OSError: there is no memory for it.
        """
        _, size = _layout((*inputs, *outputs))
        fd = memfd.create("edge-agent-tensors", size)
        try:
            memfd.seal(fd, memfd.SIZED)
            return cls(fd, inputs, outputs)
        except OSError:
            os.close(fd)
            raise

    def close(self) -> None:
        """Close the descriptor, and let go of the arrays. Idempotent."""
        if self.fd >= 0:
            self.inputs = self.outputs = ()
            os.close(self.fd)
            self.fd = -1


def _layout(specs: Sequence[TensorSpec]) -> tuple[list[int], int]:
    """Give where each tensor begins, and the size of all."""
    places: list[int] = []
    at = 0
    for spec in specs:
        places.append(at)
        size = math.prod(spec.shape) * np.dtype(spec.dtype).itemsize
        at += -(-size // _ALIGN) * _ALIGN
        if at > MOST_BYTES:
            raise MessageInvalid("share memory", "of tensors", f"they take more than {MOST_BYTES >> 20} MB")
    return places, max(at, _ALIGN)
