"""Where frames are held back, for good or while the board is to do less: evenly, and none uncounted.

A live source's frames are gated, in whole frames, so that those that pass are evenly spaced. A recording is
slowed: its next frame is read when it is due, so none is left out.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LOOK_S = 0.2
"""A recording that waits looks at least so often whether it is to stop."""


class Gate:
    """The rate that a pipeline is held to. One thread asks it of frames, any other may set it.

    Args:
        clock: seconds of the monotonic clock.
        most_fps: frames a second that pass at most, whatever is set; 0 for any number.

    Attributes:
        open: whether there is no limit: then nobody need ask.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, most_fps: float = 0) -> None:
        self._clock = clock
        self._own_s = 1 / most_fps if most_fps else 0.0
        self._changed = threading.Condition()
        self._interval_s = self._own_s
        self._paused = False
        self._due = 0.0
        self._last = 0.0
        self.open = not self._own_s

    def set(self, fps: float | None, *, paused: bool) -> None:
        """Let so many frames a second pass (above 0; None for all), or none while ``paused``."""
        with self._changed:
            self._interval_s = self._own_s if fps is None else max(self._own_s, 1 / fps)
            self._paused = paused
            self._due = min(self._due, self._clock() + self._interval_s)
            self.open = not (self._interval_s or paused)
            self._changed.notify_all()

    def shuts(self) -> bool:
        """Say whether the live frame that has just come is to be left out.

        Of the frames around the moment at which one is due, the nearest passes.
        """
        now = self._clock()
        with self._changed:
            since, self._last = now - self._last, now
            if self._paused:
                return True
            nearest = now + min(since, self._interval_s) / 2
            if nearest < self._due:
                return True
            self._advance(now)
            return False

    def hold(self, stop: threading.Event) -> bool:
        """Wait until a recording's next frame is due; False when ``stop`` was set before."""
        with self._changed:
            while not stop.is_set():
                left = _LOOK_S if self._paused else self._due - self._clock()
                if left <= 0:
                    self._advance(self._clock())
                    return True
                self._changed.wait(min(_LOOK_S, left))
        return False

    def _advance(self, now: float) -> None:
        """Set when the next frame is due: on a schedule, which begins anew after one that was late for it."""
        on_time = now - self._due < self._interval_s / 2
        self._due = (self._due if on_time else now) + self._interval_s
