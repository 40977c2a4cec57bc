"""What the link tells the collector, on its way to the thread that stores: bounded in bytes."""

from __future__ import annotations

import queue
import threading
from typing import TYPE_CHECKING

from agent.events import Event, emit
from agent.link.settings import LinkMessage

if TYPE_CHECKING:
    from collections.abc import Callable

_OVERHEAD = 400
"""What a message takes beside topic and payload, about: a flood of empty ones takes memory, too."""


class Inbox:
    """Events of the link, oldest first. ``post`` is for its thread, ``wake`` for any and for signal handlers.

    A disk that is slow leaves messages unconfirmed, so a broker that keeps to its window stops by itself. One
    that does not meets the bound: then messages are dropped here, and their devices send them again.

    Args:
        max_bytes: how many bytes of messages may wait.

    Attributes:
        settle: confirms to the broker what is dropped: it would send it again.
    """

    def __init__(self, max_bytes: int = 64 << 20) -> None:
        self._max_bytes = max_bytes
        self._events: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._guard = threading.Lock()
        self._bytes = 0
        self.settle: Callable[[LinkMessage], None] = lambda _: None

    def post(self, event: object) -> None:
        """Leave an event of the link."""
        if isinstance(event, LinkMessage):
            with self._guard:
                full = self._bytes + _size(event) > self._max_bytes
                self._bytes += 0 if full else _size(event)
            if full:
                emit(Event.BATCH_REFUSED, "inbox", refusal="flood", problem="too much waits for the disk")
                self.settle(event)
                return
        self._events.put(event)

    def wake(self) -> None:
        """Make ``take`` return."""
        self._events.put(None)

    def take(self, timeout_s: float, *, most: int, most_bytes: int) -> list[object]:
        """Wait up to ``timeout_s`` for an event; give those that are there, oldest first.

        Args:
            timeout_s: seconds.
            most: how many events to give.
            most_bytes: after so many bytes of messages, give no more.
        """
        try:
            taken = [self._events.get(timeout=timeout_s)]
        except queue.Empty:
            return []
        size = _size(taken[0])
        while len(taken) < most and size < most_bytes and not self._events.empty():  # nobody else takes
            taken.append(self._events.get())
            size += _size(taken[-1])
        with self._guard:
            self._bytes -= size
        return [event for event in taken if event is not None]


def _size(event: object) -> int:
    return len(event.topic) + len(event.payload) + _OVERHEAD if isinstance(event, LinkMessage) else 0
