"""The memory of all slots of a ring: it grows as frames do, and a source that can fills it in place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agent.capture import memory
from agent.errors import InputRejected

if TYPE_CHECKING:
    from agent.types import Array


class Slots:
    """Written by one thread. Which slot is free is the ring's affair.

    Args:
        count: how many there are.

    Attributes:
        versions: by slot, how often its memory was made anew.
    """

    def __init__(self, count: int) -> None:
        self._areas: list[memory.Area | None] = [None] * count
        self.versions = [0] * count
        self._shape: tuple[str, tuple[int, ...]] | None = None
        self._bytes = 0
        self._lent: Array | None = None

    def descriptor(self, slot: int) -> int:
        """The descriptor of a slot that was written."""
        area = self._areas[slot]
        return area.fd if area is not None else -1

    def lend(self, slot: int | None) -> Array | None:
        """Give a slot's memory as a frame of the last one's shape, for a source that can fill it itself.

        The next ``write`` is to that slot, and copies nothing when the frame lies there. None when there is
        no slot, or none of that size yet.
        """
        self._lent = None
        if slot is not None and self._shape is not None:
            area = self._areas[slot]
            if area is not None and area.size >= self._bytes:
                self._lent = area.view(*self._shape)
        return self._lent

    def write(self, slot: int, data: Array) -> None:
        """Have a frame in a slot that nobody reads.

        Raises:
            InputRejected: it is too large, or there is no memory for it.
        """
        memory.check(data)
        if self._lent is None or data is not self._lent:
            area = self._areas[slot]
            if area is None or area.size < data.nbytes:
                area = self._grow(slot, data.nbytes)
            np.copyto(area.view(data.dtype.name, data.shape), data)
        self._shape, self._bytes, self._lent = (data.dtype.name, data.shape), data.nbytes, None

    def _grow(self, slot: int, size: int) -> memory.Area:
        try:
            area = memory.Area(max(1, size))
        except OSError as error:
            problem = error.strerror or str(error)
            raise InputRejected("share frame", f"of {size} bytes", problem, "Free some memory") from error
        if (old := self._areas[slot]) is not None:
            old.close()
        self._areas[slot] = area
        self.versions[slot] += 1
        return area

    def close(self) -> None:
        """Let go of the memory."""
        self._lent = None
        for area in self._areas:
            if area is not None:
                area.close()
