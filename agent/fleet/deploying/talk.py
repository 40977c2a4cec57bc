"""A short conversation with a broker: what it keeps, what we have it keep, and what comes meanwhile."""

from __future__ import annotations

import logging
import queue
import secrets
import time
from collections import deque
from typing import TYPE_CHECKING, Self

from agent.errors import LinkLost
from agent.link.mqtt import Link
from agent.link.settings import LinkDown, LinkMessage, LinkPublished, LinkUp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.link.settings import LinkSettings

_HINT = "Check --host, --port and the credentials"
_GOODBYE_S = 2.0
_CONNECT_S = 8.0
"""A broker that is away is told by then: somebody sits there and waits."""


class Talk:
    """A connection that comes back by itself, for one thread that waits for what it needs.

    Args:
        settings: of the link.
        topics: what to listen to.
        echo: a topic that we may write to and read, below which the broker proves what it does not have.
    """

    def __init__(self, settings: LinkSettings, topics: Sequence[str], echo: str) -> None:
        self._events: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._echo = f"{echo}/edgectl-{secrets.token_hex(6)}"
        self._broker = settings.broker
        self._up = False
        self._reason = "it does not answer"
        self._unread: deque[LinkMessage] = deque()
        filters = [(topic, 1) for topic in (*topics, self._echo)]
        self._link = Link(settings, post=self._events.put, subscriptions=filters)

    def __enter__(self) -> Self:
        logging.getLogger("edge-agent").addHandler(logging.NullHandler())  # errors and progress say it
        self._link.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._link.close(_GOODBYE_S)

    def kept(self, timeout_s: float) -> dict[str, bytes]:
        """Give what the broker keeps on our topics, by topic.

        What it has not sent before our own echo, it does not have.

        Raises:
            LinkLost: it does not answer in time, or refuses us.
        """
        began = time.monotonic()
        found: dict[str, bytes] = {}
        sent = False
        while True:
            if self._up and not sent:
                sent = self._sent(self._echo, b"echo", retain=False) is not None
            event = self._event(began + (timeout_s if self._up else min(timeout_s, _CONNECT_S)))
            if isinstance(event, LinkMessage):
                if event.topic == self._echo:
                    return found
                found[event.topic] = event.payload
            sent &= self._up

    def publish(self, topic: str, payload: bytes, timeout_s: float) -> None:
        """Have the broker keep a message, however often the link is lost meanwhile.

        Raises:
            LinkLost: it does not confirm it in time, or refuses it.
            MessageInvalid: it is larger than the broker takes.
        """
        give_up = time.monotonic() + timeout_s
        token = None
        while True:
            if self._up and token is None:
                token = self._sent(topic, payload, retain=True)
            event = self._event(give_up)
            if isinstance(event, LinkPublished) and event.token == token:
                if event.refused:
                    hint = "Let this user write there: docs/protocol.md has the topics"
                    raise LinkLost("publish", topic, f"the broker refuses it: {event.refused}", hint)
                return
            if isinstance(event, LinkMessage):
                self._unread.append(event)
            token = token if self._up else None

    def next(self, timeout_s: float) -> LinkMessage | None:
        """Give the next message; None when none comes in time, whether the link is up or not.

        Raises:
            LinkLost: the broker refuses us.
        """
        if self._unread:
            return self._unread.popleft()
        give_up = time.monotonic() + timeout_s
        while (left := give_up - time.monotonic()) > 0:
            try:
                event = self._events.get(timeout=left)
            except queue.Empty:
                break
            self._note(event)
            if isinstance(event, LinkMessage) and event.topic != self._echo:
                return event
        return None

    def _sent(self, topic: str, payload: bytes, *, retain: bool) -> int | None:
        """Publish; give the token, or None when the link was lost just now, which an event will tell."""
        try:
            return self._link.publish(topic, payload, retain=retain)
        except LinkLost:
            self._up = False
            return None

    def _event(self, give_up: float) -> object:
        left = give_up - time.monotonic()
        try:
            event = self._events.get(timeout=max(0.0, left))
        except queue.Empty:
            raise self._lost() from None
        self._note(event)
        return event

    def _note(self, event: object) -> None:
        if isinstance(event, LinkUp):
            self._up, self._reason = True, "it does not answer"
        elif isinstance(event, LinkDown):
            self._up, self._reason = False, event.reason
            if event.refused:
                raise self._lost()

    def _lost(self) -> LinkLost:
        hint = "" if ". " in self._reason else _HINT  # some reasons say what to do
        return LinkLost("reach", f"broker {self._broker}", self._reason, hint)
