"""Listens to what a link posts, and waits for what a test expects."""

from __future__ import annotations

import queue
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Ear:
    """Give ``Ear.post`` to a link, from whose thread it is called; ask in the test's."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[object] = queue.SimpleQueue()
        self.post: Callable[[object], None] = self._queue.put

    def wait(self, kind: type[T], timeout_s: float = 30.0) -> T:
        """Give the next event of ``kind``; what comes before it is dropped."""
        give_up = time.monotonic() + timeout_s
        dropped: list[object] = []
        while (left := give_up - time.monotonic()) > 0:
            try:
                event = self._queue.get(timeout=left)
            except queue.Empty:
                break
            if isinstance(event, kind):
                return event
            dropped.append(event)
        raise AssertionError(f"no {kind.__name__} within {timeout_s} s, but {dropped}")

    def silent(self, kind: type[object], seconds: float) -> bool:
        """Whether no event of ``kind`` comes for a while; what comes is dropped."""
        time.sleep(seconds)
        while not self._queue.empty():
            if isinstance(self._queue.get(), kind):
                return False
        return True
