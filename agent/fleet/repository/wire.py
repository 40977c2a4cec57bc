"""The broker, as a publisher sees it: retained messages, each confirmed, and a look at what is there."""

from __future__ import annotations

import queue
import secrets
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Self

from agent.errors import AgentError, LinkLost, MessageInvalid
from agent.fleet.repository.roles import PACKET_MOST
from agent.fleet.repository.tree import BLOB
from agent.link import topics
from agent.link.bulk import Bulk
from agent.link.mqtt import Link
from agent.link.outgoing import packet_size
from agent.link.settings import LinkDown, LinkPublished, LinkUp, Message

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from agent.fleet.repository.catalog import Piece
    from agent.link.settings import LinkSettings

_NAME = "edgectl"
"""What the echo of our reader goes round as, with a random end: two operators may work at once."""
_CONNECT_S = 20.0
_AWAY_S = 60.0
"""So long a broker may be away in the middle of a transfer."""
_CONFIRM_S = 120.0
"""A chunk of 1 MiB on a line of 10 KB/s takes about so long."""
_RECONNECT_S = 5.0
_READ_WINDOW = 16
_WINDOW = 32
_WINDOW_BYTES = 4 << 20
_TURN_S = 0.5
_DRAIN_S = 2.0

Source = tuple[str, Callable[[], bytes]]
"""A topic, and what gives what is to be retained there."""
Out = tuple[str, bytes]
"""A topic, and what is to be retained there; nothing takes away what was."""


class Wire:
    """A connection to a fleet's broker; to be entered.

    Args:
        settings: the broker. A random name is put behind the client id: two operators may work at once.
        fleet: whose topics.

    Attributes:
        shelf: reads what is published, over a second connection; made at first use.
    """

    def __init__(self, settings: LinkSettings, fleet: str) -> None:
        end = secrets.token_hex(4)
        own = f"{settings.client_id}-{end}"
        self._settings = replace(
            settings, client_id=own, confirm_timeout_s=_CONFIRM_S, backoff_cap_s=_RECONNECT_S
        )
        self._fleet = fleet
        self._top = topics.tuf_hint(fleet).removesuffix("hint")
        self._events: queue.SimpleQueue[object] = queue.SimpleQueue()
        self._link = Link(self._settings, post=self._events.put)
        self._up: LinkUp | None = None
        self.shelf = Bulk(settings, fleet, f"{_NAME}-{end}", window=_READ_WINDOW)

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            LinkLost: the broker is away, or refuses us.
        """
        with ExitStack() as stack:
            stack.callback(self.__exit__)
            self._link.start()
            self._wait_up(time.monotonic() + _CONNECT_S)
            stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Say goodbye."""
        self.shelf.close()
        self._link.close(_DRAIN_S)

    def check(self, pieces: Iterable[Piece]) -> None:
        """Refuse what broker or devices would not take, before any of it is sent.

        Raises:
            MessageInvalid: a piece is too large.
        """
        broker = self._up.max_packet if self._up else PACKET_MOST
        for piece in pieces:
            size = packet_size(Message(self._top + piece.path, b"")) + piece.size
            if size > min(broker, PACKET_MOST):
                who = "the broker takes" if broker <= PACKET_MOST else "devices take"
                problem = f"it makes a packet of {size} bytes, and {who} {min(broker, PACKET_MOST)}"
                less = "Pack it with a smaller --chunk" if BLOB in piece.path else "Revoke what nobody runs"
                hint = f"{less}, or raise the broker's limit"
                raise MessageInvalid("publish", piece.path, problem, hint)

    def send(self, pieces: Sequence[Piece], step: Callable[[int], object] = int) -> None:
        """Have the broker retain pieces, in this order; all are confirmed when this returns.

        Args:
            pieces: what to publish.
            step: told of each confirmed piece's bytes.

        Raises:
            MessageInvalid: a piece is too large; nothing was sent.
            LinkLost: the broker is away for too long.
            AgentError: the broker does not take a message over, or a file cannot be read.
        """
        self.check(pieces)
        self._send(((self._top + piece.path, piece.read) for piece in pieces), step)

    def clear(self, paths: Sequence[str], step: Callable[[int], object] = int) -> None:
        """Have the broker forget pieces.

        Raises:
            LinkLost: the broker is away for too long.
            AgentError: the broker does not take a message over.
        """
        self._send(((self._top + path, bytes) for path in paths), step)

    def retain(self, topic: str, payload: bytes) -> None:
        """Have the broker retain a message that is no piece.

        Raises:
            LinkLost: the broker is away for too long.
            AgentError: the broker does not take it over.
        """
        self._send([(topic, lambda: payload)], int)

    def _send(self, messages: Iterable[Source], step: Callable[[int], object]) -> None:
        """Keep a window of messages under way; what a lost link leaves unconfirmed goes again, in order."""
        rest = iter(messages)
        again: deque[Out] = deque()
        under_way: dict[int, Out] = {}
        give_up = time.monotonic() + _AWAY_S
        while True:
            self._fill(rest, again, under_way)
            if not under_way and not again:
                return
            match self._next_event():
                case LinkPublished(token, refused) if token in under_way:
                    topic, payload = under_way.pop(token)
                    if refused:
                        raise AgentError("publish", topic, refused)
                    step(len(payload))
                    give_up = time.monotonic() + _AWAY_S
                case LinkDown():
                    self._up = None
                    again.extendleft(reversed(under_way.values()))
                    under_way.clear()
                    self._wait_up(give_up)

    def _fill(
        self,
        rest: Iterator[Source],
        again: deque[Out],
        under_way: dict[int, Out],
    ) -> None:
        """Hand messages to the link until the window is full."""
        if self._up is None:
            return
        most = min(_WINDOW, self._up.receive_max)
        size = sum(len(payload) for _, payload in under_way.values())
        while len(under_way) < most and (not under_way or size < _WINDOW_BYTES):
            if not again:
                following = next(rest, None)
                if following is None:
                    return
                topic, read = following
                again.append((topic, read()))
            topic, payload = again[0]
            try:
                token = self._link.publish(topic, payload, retain=True)
            except LinkLost:  # the event that says so is on its way
                return
            under_way[token] = again.popleft()
            size += len(payload)

    def _next_event(self) -> object:
        if not self._link.alive:
            raise RuntimeError("the link's thread died")
        try:
            return self._events.get(timeout=_TURN_S)
        except queue.Empty:
            return None

    def _wait_up(self, give_up: float) -> None:
        """Wait until the broker has accepted us.

        Raises:
            LinkLost: it refuses, or is away until ``give_up``, monotonic.
        """
        reason = "no answer"
        while time.monotonic() < give_up:
            match self._next_event():
                case LinkUp() as up:
                    self._up = up
                    return
                case LinkDown(reason, refused) if refused:
                    raise LinkLost("connect to", self._settings.broker, reason, "See the broker's log")
                case LinkDown(reason):
                    continue
        hint = (
            "Check --host and --port, and that the broker runs; nothing is lost: edgectl heal sends the rest"
        )
        raise LinkLost("connect to", self._settings.broker, reason, hint)
