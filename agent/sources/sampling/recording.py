"""A recording of samples, given as windows: whatever its file looks like."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, BinaryIO

from agent.errors import InputRejected, SourceEnded
from agent.sources._files import unreadable
from agent.sources.sampling.windows import Broken
from agent.types import Frame

if TYPE_CHECKING:
    from collections.abc import Generator

    from agent.sources._pace import Pace
    from agent.sources.sampling.windows import Window, Windows
    from agent.types import Array

    Chunks = Generator[tuple[Array, Array] | str, None, None]
    """Times (int64, nanoseconds) and values (float64) of some samples, or why the next ones are missing."""

HINT = "Repair the recording, or raise max_gap_s to bridge it"


class Recording:
    """Implements ``Source``. A window that a gap has broken is a failed frame, and uses a number up.

    Args:
        path: of the file.
        file: that is read.
        chunks: what it holds, in order.
        windows: what cuts them.
        pace: of the windows.
        live: whether it has one, and loses what is not read in time.
        start: the number of the first window that is given.
        remark: on the file, to be said at its end.
    """

    def __init__(
        self,
        path: str,
        file: BinaryIO,
        chunks: Chunks,
        windows: Windows,
        *,
        pace: Pace,
        live: bool,
        start: int,
        remark: str = "",
    ) -> None:
        self._path = path
        self._file = file
        self._chunks = chunks
        self._windows = windows
        self._pace = pace
        self._live = live
        self._start = start
        self._seq = 0
        self._ready: deque[Window | Broken] = deque()
        self._remark = remark
        self._ended = ""

    @property
    def live(self) -> bool:
        """True when it keeps the pace of the recording."""
        return self._live

    def read(self, timeout_s: float) -> Frame | None:
        """Give the next window: float32 (window, channels).

        Raises:
            SourceEnded: the recording is over.
            InputRejected: this window has a gap, or a sample in it cannot be read.
        """
        deadline = time.monotonic() + timeout_s
        if not self._skip_until(deadline) or not self._pace.wait(deadline - time.monotonic()):
            return None
        self._fill()
        found, seq = self._ready.popleft(), self._seq
        self._seq += 1
        if isinstance(found, Broken):
            raise InputRejected("cut window", f"{self._path} window {seq}", found.reason, HINT)
        return Frame(seq, time.monotonic_ns(), found.data, self._path)

    def close(self) -> None:
        """Close the file."""
        self._chunks.close()
        self._file.close()

    def _skip_until(self, deadline: float) -> bool:
        """Pass over the windows before the start; False when time ran out first."""
        while self._seq < self._start:
            self._fill()
            self._ready.popleft()
            self._seq += 1
            if self._seq < self._start and time.monotonic() >= deadline:
                return False
        return True

    def _fill(self) -> None:
        """Have a window ready, sound or broken."""
        while not self._ready:
            if self._ended:
                raise SourceEnded(self._ended)
            try:
                found = next(self._chunks, None)
            except OSError as error:
                raise unreadable("read recording", self._path, error) from error
            if found is None:
                self._ended = f"{self._path}: {self._seq} windows{self._remark}"
            elif isinstance(found, str):
                self._ready += self._windows.cut(found)
            else:
                self._ready += self._windows.add(*found)
