"""Time, as a seam: deadlines use ``monotonic``, people read ``wall``.

Boards without a real-time clock step the wall clock by decades; no timer may depend on it.
"""

from __future__ import annotations

import ctypes
import errno
import time
from functools import cached_property
from pathlib import Path
from typing import Protocol

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_BY_TIMESYNCD = Path("/run/systemd/timesync/synchronized")
RELEASED_NS = 1_764_000_000 * 10**9
"""2025-11-24, nanoseconds since 1970-01-01 UTC: a clock before this agent was written is wrong."""
_ASK_S = 5.0
_TIMEX_BYTES = 208
"""Room for struct timex (adjtimex(2)) on every architecture."""
_ERROR = 5
"""TIME_ERROR: the clock is not synchronised."""


class Clock(Protocol):
    """Where time comes from."""

    @property
    def boot(self) -> str:
        """This boot of the machine, 16 hex digits: monotonic times compare within it."""

    def monotonic(self) -> float:
        """Seconds on CLOCK_MONOTONIC: the same in every process of this boot."""

    def wall_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC, as far as this machine knows."""

    def synced(self) -> bool | None:
        """Whether the wall clock is known to be synchronised; None: nobody can tell."""


class SystemClock:
    """The machine's own clocks."""

    def __init__(self) -> None:
        self._synced: bool | None = None
        self._ask_at = 0.0

    @cached_property
    def boot(self) -> str:
        """The kernel's boot id, its first 16 hex digits; zeros where there is none."""
        try:
            return _BOOT_ID.read_text(encoding="ascii").replace("-", "")[:16]
        except OSError:
            return "0" * 16

    def monotonic(self) -> float:
        """Seconds on CLOCK_MONOTONIC."""
        return time.monotonic()

    def wall_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC."""
        return time.time_ns()

    def synced(self) -> bool | None:
        """What the kernel says, asked every 5 s; a clock that shows a time before our release is wrong."""
        now = self.monotonic()
        if now >= self._ask_at:
            self._ask_at = now + _ASK_S
            self._synced = _kernel_says()
        return False if self.wall_ns() < RELEASED_NS else self._synced


def _kernel_says() -> bool | None:
    """Ask adjtimex(2), which only reads without modes; under ProtectClock= it is forbidden."""
    libc = ctypes.CDLL(None, use_errno=True)
    state = libc.adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    if state >= 0:
        return bool(state != _ERROR)
    if ctypes.get_errno() in {errno.EPERM, errno.ENOSYS, errno.EACCES}:
        return True if _BY_TIMESYNCD.exists() else None
    return None
