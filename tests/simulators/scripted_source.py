"""A source that gives what a script says: frames, pauses and failures, in this order."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from agent.errors import SourceEnded
from agent.types import Frame

if TYPE_CHECKING:
    from collections.abc import Iterable

Step = Exception | None | int
"""An error to raise, None for "nothing came in time", or the value that every element of a frame has."""


class ScriptedSource:
    """Implements ``Source``; after the script it has ended. One buffer serves all frames.

    Attributes:
        closed: how often it was closed.
        threads: the names of the threads that used it.
    """

    def __init__(
        self, script: Iterable[Step], *, start: int = 0, live: bool = False, shape: tuple[int, ...] = (2,)
    ) -> None:
        self._script = iter(script)
        self._next = start
        self._live = live
        self._data: np.ndarray[Any, np.dtype[Any]] = np.zeros(shape, np.float32)
        self.closed = 0
        self.threads: set[str] = set()

    @property
    def live(self) -> bool:
        return self._live

    def read(self, timeout_s: float) -> Frame | None:
        self.threads.add(threading.current_thread().name)
        assert timeout_s > 0
        step = next(self._script, SourceEnded("the script is over"))
        if isinstance(step, SourceEnded) or step is None:
            if step is None:
                return None
            raise step
        seq, self._next = self._next, self._next + 1
        if isinstance(step, Exception):
            raise step
        self._data.fill(step)
        return Frame(seq, 1000 + seq, self._data, f"frame-{seq}")

    def close(self) -> None:
        self.threads.add(threading.current_thread().name)
        self.closed += 1
