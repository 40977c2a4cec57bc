"""The heartbeat page: what each thread of a worker is doing, and since when, in shared memory.

The thread that works writes its own slot, just before it enters a phase, so a hung native call shows as a
phase that does not change. A slot is one aligned 64-bit word, stored at once: phase in the top byte, below
it CLOCK_MONOTONIC in units of 1,024 ns (good for 2,283 years of uptime). The page outlives its worker.
"""

from __future__ import annotations

import mmap
import os
import time
from enum import IntEnum

from agent.errors import MessageInvalid
from agent.processes import memfd
from agent.types import Phase

SIZE = 4096
_TIME_BITS = 56
_TIME_MASK = (1 << _TIME_BITS) - 1
_PHASES = frozenset(Phase)


class Slot(IntEnum):
    """Whose word it is, or which counter."""

    CAPTURE = 0
    INFER = 1
    CAPTURED = 2
    LOAD = 3
    """The thread that loads another model while one serves."""


class Page:
    """The shared page. The supervisor creates it; the worker attaches by descriptor."""

    def __init__(self, fd: int) -> None:
        self._map = mmap.mmap(fd, SIZE)
        self.fd = fd
        self._words = memoryview(self._map).cast("Q")

    @classmethod
    def create(cls) -> Page:
        """Make a page of zeros."""
        fd = memfd.create("edge-agent-heartbeat", SIZE)
        try:
            memfd.seal(fd, memfd.SIZED)
            return cls(fd)
        except OSError:
            os.close(fd)
            raise

    def enter(self, slot: Slot, phase: Phase, at: float | None = None) -> None:
        """Say that this thread begins ``phase``: now, or at so many seconds of CLOCK_MONOTONIC."""
        began_ns = time.monotonic_ns() if at is None else int(at * 1e9)
        self._words[slot] = (phase << _TIME_BITS) | ((began_ns >> 10) & _TIME_MASK)

    def read(self, slot: Slot) -> tuple[Phase, float]:
        """Give a thread's phase and since when, in seconds of CLOCK_MONOTONIC.

        Raises:
            MessageInvalid: the word holds no phase: the worker has written over its page.
        """
        word = self._words[slot]
        number = word >> _TIME_BITS
        if number not in _PHASES:
            raise MessageInvalid("read heartbeat", slot.name.lower(), f"there is no phase {number}")
        return Phase(number), ((word & _TIME_MASK) << 10) / 1e9

    @property
    def captured(self) -> int:
        """Frames that the capture thread has taken since its worker began."""
        return self._words[Slot.CAPTURED]

    @captured.setter
    def captured(self, count: int) -> None:
        self._words[Slot.CAPTURED] = count

    def close(self) -> None:
        """Unmap and close. Idempotent."""
        if self.fd >= 0:
            self._words.release()
            self._map.close()
            os.close(self.fd)
            self.fd = -1
