"""Messages on their way from the link's thread to the main thread: bounded, whatever a broker sends."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from agent.events import Event, emit
from agent.link.settings import LinkMessage

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_MOST = 64
_MOST_BYTES = 2 << 20


class Intake:
    """Passes events on; messages of other topics, and those that are too many, are counted and dropped.

    An acknowledgement that is dropped costs nothing: the next one says more.

    Args:
        post: takes what is passed on.
        topics: those that are wanted; a kept session may bring those of an earlier configuration, too.
        settle: confirms to the broker what is dropped: it would send it again.
    """

    def __init__(
        self,
        post: Callable[[object], None],
        topics: Collection[str],
        settle: Callable[[LinkMessage], None],
    ) -> None:
        self._post, self._settle = post, settle
        self._topics = frozenset(topics)
        self._guard = threading.Lock()
        self._waiting = 0
        self._bytes = 0

    def post(self, event: object) -> None:
        """Take an event of the link; called in its thread."""
        if not isinstance(event, LinkMessage):
            self._post(event)
        elif event.topic not in self._topics:
            emit(Event.MESSAGE_REFUSED, "other topics", refusal="topic", problem="nobody asked for it")
            self._settle(event)
        elif self._admitted(event):
            self._post(event)
        else:
            emit(Event.MESSAGE_REFUSED, event.topic, refusal="flood", problem="too many at once")
            self._settle(event)

    def taken(self, message: LinkMessage) -> None:
        """The main thread has a message: there is room for another."""
        with self._guard:
            self._waiting -= 1
            self._bytes -= len(message.payload)

    def _admitted(self, message: LinkMessage) -> bool:
        with self._guard:
            if self._waiting >= _MOST or (self._waiting and self._bytes + len(message.payload) > _MOST_BYTES):
                return False
            self._waiting += 1
            self._bytes += len(message.payload)
            return True
