"""How much this process has written to storage: flash wears out by it."""

from __future__ import annotations

import os
from collections import deque
from dataclasses import dataclass
from functools import cache

_IO = "/proc/self/io"
_MOST_BYTES = 4096
_DAY_S = 86_400.0
_STEP_S = 600.0


@dataclass(frozen=True, slots=True)
class FlashStatus:
    """Bytes written to storage.

    Attributes:
        written: since the start of this process.
        per_day: in the last 24 hours; of a younger process, its rate carried on for a day.
        extrapolated: whether it was.
    """

    written: int
    per_day: int
    extrapolated: bool


class FlashMeter:
    """Counts what the kernel says that this process has sent to storage (proc(5): write_bytes).

    Args:
        now: the monotonic time, seconds.
    """

    def __init__(self, now: float) -> None:
        self._began = now
        self._first = _written()
        self._marks: deque[tuple[float, int]] = deque([(now, self._first)])

    def status(self, now: float) -> FlashStatus:
        """Where the count stands at ``now``; asked regularly, it remembers a day."""
        written = _written()
        while len(self._marks) > 1 and now - self._marks[1][0] >= _DAY_S:
            self._marks.popleft()
        since, before = self._marks[0]
        if now - self._marks[-1][0] >= _STEP_S:
            self._marks.append((now, written))
        young = now - self._began < _DAY_S
        span = now - since
        per_day = int((written - before) * _DAY_S / span) if span > 0 else 0
        return FlashStatus(written - self._first, per_day, young)


def _written() -> int:
    """Bytes written and not taken back before they reached the disk; 0 where the kernel does not say."""
    try:
        lines = os.pread(_opened(), _MOST_BYTES, 0).decode("ascii").splitlines()
    except OSError:
        return 0
    counts = dict(line.split(": ") for line in lines)
    return max(0, int(counts.get("write_bytes", 0)) - int(counts.get("cancelled_write_bytes", 0)))


@cache
def _opened() -> int:
    """Open the file once: it is root's as soon as this process closes its memory to others of its user."""
    return os.open(_IO, os.O_RDONLY | os.O_CLOEXEC)
