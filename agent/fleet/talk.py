"""The operator's talk with a broker: what it keeps, what we have it keep, and what comes meanwhile."""

from __future__ import annotations

import functools
import logging
import queue
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from agent.errors import LinkLost
from agent.events import Event, emit
from agent.link.mqtt import Link
from agent.link.settings import LinkDown, LinkMessage, LinkPublished, LinkUp

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from agent.link.settings import LinkSettings

_HINT = "Check --host, --port and the credentials"
_PLAIN = "; a broker that wants TLS, mostly on port 8883, needs --ca-file, --cert-file and --key-file"
_GOODBYE_S = 2.0
_CONNECT_S = 8.0
"""A broker that is away is told by then: somebody sits there and waits."""
_TURN_S = 0.5
_WINDOW = 32
_WINDOW_BYTES = 4 << 20
_SILENCE_S = 20.0
_MOST_WAITING = 64 << 20
"""Bytes of messages that wait for us, while we do something else; a device or broker may send without end. So
many come in one look at what a broker keeps, too."""
_OVERHEAD = 400
"""What a message takes beside topic and payload, about: a flood of empty ones takes memory, too."""

Source = tuple[str, Callable[[], bytes]]
"""A topic, and what gives what is to be retained there."""
Out = tuple[str, bytes]
"""A topic, and what is to be retained there; nothing takes away what was."""


class Talk:
    """A connection that comes back by itself, for one thread that waits for what it needs.

    Args:
        settings: of the link. A random end is put behind the client id: two operators may work at once.
        listen: topics to listen to.
        echo: a topic that we may write to and read, below which the broker proves what it does not have; only
            ``kept`` needs it.
        comfort: what else is to be said when the broker is away.

    Attributes:
        dropped: messages that were let go because too many waited.
    """

    def __init__(
        self, settings: LinkSettings, listen: Sequence[str] = (), echo: str = "", comfort: str = ""
    ) -> None:
        end = secrets.token_hex(6)
        self._events: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._echo = f"{echo}/edgectl-{end}" if echo else ""
        self._broker, self._comfort = settings.broker, comfort
        self._hint = _HINT if settings.cert_file else _HINT + _PLAIN
        self._reason = "it does not answer"
        self._unread: deque[LinkMessage] = deque()
        self._waiting, self._guard = 0, threading.Lock()
        self.dropped = 0
        filters = [(topic, 1) for topic in (*listen, self._echo) if topic]
        own = replace(settings, client_id=f"{settings.client_id}-{end}")
        self._link = Link(own, post=self._post, subscriptions=filters)
        self.up: LinkUp | None = None

    def __enter__(self) -> Self:
        logging.getLogger("edge-agent").addHandler(logging.NullHandler())  # errors and progress say it
        self._link.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._link.close(_GOODBYE_S)

    def connected(self, timeout_s: float | None = None) -> LinkUp:
        """Wait until the broker has accepted us, for 8 s where no time is given; give what it takes.

        Raises:
            LinkLost: it does not answer in time, or refuses us.
        """
        give_up = time.monotonic() + (_CONNECT_S if timeout_s is None else timeout_s)
        while self.up is None:
            if isinstance(event := self._event(give_up), LinkMessage):
                self._unread.append(event)
        return self.up

    def kept(self, silence_s: float = _SILENCE_S) -> dict[str, bytes]:
        """Give what the broker keeps on our topics, by topic.

        What it has not sent before our own echo, it does not have.

        Raises:
            LinkLost: nothing comes of it for so long, it refuses us, or so much came that some was let go.
        """
        found: dict[str, bytes] = {}
        sent, came = False, 0
        heard = time.monotonic()
        while True:
            self.connected(min(_CONNECT_S, silence_s))
            sent = sent or self._sent(self._echo, b"echo", retain=False) is not None
            event = self._unread.popleft() if self._unread else self._event(heard + silence_s)
            if isinstance(event, LinkMessage):
                came += _size(self._taken(event))
                if self.dropped or came > _MOST_WAITING:
                    raise LinkLost("read from", f"broker {self._broker}", "more came than we can take", _HINT)
                if event.topic == self._echo:
                    return found
                heard = time.monotonic()
                found[event.topic] = event.payload
            sent = sent and self.up is not None

    def send(
        self,
        messages: Iterable[Source],
        silence_s: float,
        step: Callable[[int], object] = int,
        *,
        retain: bool = True,
        expiry_s: int = 0,
    ) -> None:
        """Have the broker keep messages, in this order; all are confirmed when this returns.

        A window of them is under way at a time; what a lost link leaves unconfirmed goes again, in order.

        Args:
            messages: what to send.
            silence_s: so long the broker may be away, or confirm nothing.
            step: told of each confirmed message's bytes.
            retain: False passes them on to who is there, or has a session.
            expiry_s: for so long to who is away, seconds; 0 for ever. MQTT 5 only.

        Raises:
            LinkLost: the broker is away for too long, or refuses a message.
            MessageInvalid: one is larger than the broker takes.
        """
        rest = iter(messages)
        again: deque[Out] = deque()
        under_way: dict[int, Out] = {}
        give_up = time.monotonic() + silence_s
        sent = functools.partial(self._sent, retain=retain, expiry_s=expiry_s)
        while True:
            self._fill(rest, again, under_way, sent)
            if not under_way and not again:
                return
            match self._event(give_up):
                case LinkPublished(token, refused) if token in under_way:
                    topic, payload = under_way.pop(token)
                    if refused:
                        hint = "Let this user write there: docs/fleet.md has the topics"
                        raise LinkLost("publish", topic, f"the broker refuses it: {refused}", hint)
                    step(len(payload))
                    give_up = time.monotonic() + silence_s
                case LinkDown():
                    again.extendleft(reversed(under_way.values()))
                    under_way.clear()
                case LinkMessage() as message:
                    self._unread.append(message)

    def publish(self, topic: str, payload: bytes, silence_s: float = _SILENCE_S) -> None:
        """Have the broker keep one message; see ``send``."""
        self.send([(topic, lambda: payload)], silence_s)

    def next(self, timeout_s: float) -> LinkMessage | None:
        """Give the next message; None when none comes in time, whether the link is up or not.

        Raises:
            LinkLost: the broker refuses us.
        """
        if self._unread:
            return self._taken(self._unread.popleft())
        give_up = time.monotonic() + timeout_s
        while (left := give_up - time.monotonic()) > 0:
            try:
                event = self._events.get(timeout=left)
            except queue.Empty:
                break
            self._note(event)
            if isinstance(event, LinkMessage) and self._taken(event).topic != self._echo:
                return event
        return None

    def _post(self, event: object) -> None:
        """Take an event from the link's thread; of messages so many bytes at most."""
        if isinstance(event, LinkMessage):
            with self._guard:
                if self._waiting + _size(event) > _MOST_WAITING:
                    self.dropped += 1
                    emit(Event.MESSAGE_REFUSED, event.topic, refusal="flood", problem="too much waits for us")
                    return
                self._waiting += _size(event)
        self._events.put(event)

    def _taken(self, message: LinkMessage) -> LinkMessage:
        with self._guard:
            self._waiting -= _size(message)
        return message

    def _fill(
        self,
        rest: Iterator[Source],
        again: deque[Out],
        under_way: dict[int, Out],
        sent: Callable[[str, bytes], int | None],
    ) -> None:
        """Hand messages to the link until the window is full."""
        size = sum(len(payload) for _, payload in under_way.values())
        while True:
            if not again:
                if (following := next(rest, None)) is None:
                    return
                again.append((following[0], following[1]()))
            full = size >= _WINDOW_BYTES and under_way
            if self.up is None or len(under_way) >= min(_WINDOW, self.up.receive_max) or full:
                return
            topic, payload = again[0]
            if (token := sent(topic, payload)) is None:
                return
            under_way[token] = again.popleft()
            size += len(payload)

    def _sent(self, topic: str, payload: bytes, *, retain: bool, expiry_s: int = 0) -> int | None:
        """Publish; give the token, or None when the link was lost just now, which an event will tell."""
        try:
            return self._link.publish(topic, payload, retain=retain, expiry_s=expiry_s)
        except LinkLost:
            self.up = None
            return None

    def _event(self, give_up: float) -> object:
        """Give the next event, and take note of it.

        Raises:
            LinkLost: none comes until ``give_up``, monotonic, or it says that the broker refuses us.
        """
        while True:
            if not self._link.alive:
                raise RuntimeError("the link's thread died")
            left = give_up - time.monotonic()
            try:
                event = self._events.get(timeout=max(0.0, min(_TURN_S, left)))
            except queue.Empty:
                if left <= _TURN_S:
                    raise self._lost() from None
            else:
                self._note(event)
                return event

    def _note(self, event: object) -> None:
        match event:
            case LinkUp():
                self.up, self._reason = event, "it does not answer"
            case LinkDown(reason, refused):
                self.up, self._reason = None, reason
                if refused:
                    raise self._lost()

    def _lost(self) -> LinkLost:
        problem, _, hint = self._reason.partition(". ")  # some reasons say what to do
        hint = "; ".join(filter(None, (hint or self._hint, self._comfort)))
        return LinkLost("reach", f"broker {self._broker}", problem, hint)


def _size(message: LinkMessage) -> int:
    return len(message.topic) + len(message.payload) + _OVERHEAD
