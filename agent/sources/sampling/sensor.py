"""A sensor that is there now: its samples become windows as they come."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Protocol

from agent.errors import InputRejected, SourceLost
from agent.sources.sampling.windows import Broken
from agent.types import Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.sources.sampling.windows import Window, Windows
    from agent.types import Array


class Feed(Protocol):
    """Where samples come from."""

    @property
    def name(self) -> str:
        """What errors call it."""

    def take(self, timeout_s: float) -> Sequence[tuple[Array, Array] | str]:
        """Wait for samples: times (int64, CLOCK_MONOTONIC) and values, or why some cannot be read.

        Raises:
            SourceLost: the sensor is away.
        """

    def close(self) -> None:
        """Release the device. Idempotent."""


class Sensor:
    """Implements ``Source``. A window that a gap has broken is a failed frame, and uses a number up.

    Args:
        feed: where the samples come from.
        windows: what cuts them.
        start: the number of the first window.
        silence_s: without a sample for so long it counts as lost, seconds.
        hint: what to do about lines or samples that cannot be read.
        silent: what to do about silence.
        date: makes CLOCK_MONOTONIC of the feed's times, where these are of another clock.
    """

    def __init__(
        self,
        feed: Feed,
        windows: Windows,
        start: int,
        *,
        silence_s: float,
        hint: str,
        silent: str = "Check its cable and power",
        date: Callable[[int], int] = int,
    ) -> None:
        self._feed = feed
        self._windows = windows
        self._seq = start
        self._silence_s = silence_s
        self._hint = hint
        self._silent = silent
        self._date = date
        self._heard = time.monotonic()
        self._trouble = ""
        self._ready: deque[Window | Broken] = deque()

    @property
    def live(self) -> bool:
        """True: what is not read in time is gone."""
        return True

    def read(self, timeout_s: float) -> Frame | None:
        """Give the next window: float32 (window, channels), dated by its last sample.

        Raises:
            SourceLost: the sensor is away, or has been silent for too long.
            InputRejected: this window has a gap, or a sample in it cannot be read.
        """
        deadline = time.monotonic() + timeout_s
        while not self._ready:
            self._take(max(0.0, deadline - time.monotonic()))
            if not self._ready and time.monotonic() >= deadline:
                return None
        found, seq = self._ready.popleft(), self._seq
        self._seq += 1
        if isinstance(found, Broken):
            raise InputRejected("cut window", f"{self._feed.name} window {seq}", found.reason, self._hint)
        return Frame(seq, min(self._date(found.last_ns), time.monotonic_ns()), found.data)

    def close(self) -> None:
        """Release the device."""
        self._feed.close()

    def _take(self, timeout_s: float) -> None:
        for part in self._feed.take(timeout_s):
            if isinstance(part, str):
                self._trouble = f"; the last trouble: {part}"
                self._ready += self._windows.cut(part)
            elif len(part[0]):
                self._ready += self._windows.add(*part)
                self._heard, self._trouble = time.monotonic(), ""
        silent = time.monotonic() - self._heard
        if silent > self._silence_s and not self._ready:
            problem = f"no sample for {silent:.1f} s{self._trouble}"
            hint = f"{self._silent}, or raise silence_s for a sensor that is slower"
            raise SourceLost("read sensor", self._feed.name, problem, self._hint if self._trouble else hint)
