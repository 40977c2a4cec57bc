"""One link to a broker, without a thread: it connects, subscribes, publishes and comes back.

Whoever drives it calls ``begin``, waits for what ``wants`` says, and calls ``go_on``; again and again. The
MQTT thread does so for one link (``agent.link.mqtt``), a simulated fleet in one loop for many.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

from agent.events import Event, emit
from agent.fsm import Machine
from agent.link import session
from agent.link.connection import LINK_TABLE, Backoff, LinkState, LinkStep
from agent.link.outgoing import Outgoing
from agent.link.reasons import Reason
from agent.link.settings import LinkDown, LinkMessage, LinkPublished, LinkUp, Message
from agent.link.turns import turn
from agent.link.versions import Versions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.link.settings import LinkSettings

TURN_S = 1.0
"""The longest wait of one turn: keepalive and deadlines are looked at so often."""
_UNPROVEN_S = 3.0
"""How long to wait for CONNACK while the broker's version is a guess: some old brokers just say nothing."""
_STABLE_S = 5.0
"""A link that has lasted so long is good: the back-off begins anew."""


@dataclass(frozen=True, slots=True)
class Wants:
    """What a link waits for: its socket, -1 for none, to be readable, and writable where that matters.

    Attributes:
        seconds: how long at most.
        connection: counts connections: another one may have a socket of the same number.
    """

    fd: int
    write: bool
    seconds: float
    connection: int = 0


class LinkCore:
    """What a link does. ``publish``, ``settle`` and ``reconnect`` are for any thread, the rest for one.

    Args:
        settings: which broker, and how to speak with it.
        post: takes LinkUp, LinkDown, LinkMessage and LinkPublished, in the driving thread; it must be quick
            and may not raise.
        subscriptions: topic filters and their QoS, subscribed to on every connection.
        will: what the broker publishes when it loses us without a goodbye.
        birth: published first whenever the link is up.
        pair: gives the files of certificate and key, at each attempt; those of ``settings`` else.
        rng: where the jitter comes from.
        wake: called when there is something to do before what ``wants`` says; from any thread.
    """

    def __init__(
        self,
        settings: LinkSettings,
        *,
        post: Callable[[object], None],
        subscriptions: Sequence[tuple[str, int]] = (),
        will: Message | None = None,
        birth: Message | None = None,
        pair: Callable[[], tuple[str, str]] | None = None,
        rng: Random | None = None,
        wake: Callable[[], None] = lambda: None,
    ) -> None:
        self._settings = settings
        self._pair = pair or (lambda: (settings.cert_file, settings.key_file))
        self._post = post
        self._subscriptions = tuple(subscriptions)
        self._will = will
        self._birth = birth
        self._rng = rng or Random()  # noqa: S311 - jitter, no secret
        self._wake = wake
        self._machine = Machine(LINK_TABLE, LinkState.OFFLINE)
        self._versions = Versions(settings.protocol)
        self._backoff = Backoff(settings.backoff_base_s, settings.backoff_cap_s, self._rng)
        self._outgoing = Outgoing(settings.broker)
        self._settled: deque[tuple[int, int]] = deque()
        self._drop_reason: Reason | None = None
        self._session: session.Session | None = None
        self._connection = 0
        self._tokens: dict[int, int] = {}
        self._up = LinkUp(self._versions.current, 0, 0)
        self._deadline = 0.0
        self._online_since = 0.0
        self._confirmed_at = 0.0
        self._close_by: float | None = None

    @property
    def state(self) -> LinkState:
        """Where the link stands; for status."""
        return self._machine.state

    def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False, expiry_s: int = 0
    ) -> int:
        """Queue a message; give the token that LinkPublished will carry. Any thread; never blocks.

        Raises:
            LinkLost: the link is down, or too much waits already. Nothing is kept for later.
            MessageInvalid: the broker would refuse a packet of this size.
        """
        token = self._outgoing.put(Message(topic, payload, qos, retain, expiry_s))
        self._wake()
        return token

    def settle(self, message: LinkMessage) -> None:
        """Confirm a message to the broker, with ``manual_ack``; one of an earlier connection is ignored."""
        if message.receipt[1]:
            self._settled.append(message.receipt)
            self._wake()

    def reconnect(self, problem: str) -> None:
        """Drop a connection that does not do its work, and connect again. Any thread."""
        self._drop_reason = Reason(problem)
        self._wake()

    def leave(self, by: float) -> None:
        """Send what is queued and say goodbye; at ``by``, monotonic seconds, just end. Idempotent."""
        if self._close_by is None:
            self._close_by = by

    def begin(self, now: float) -> bool:
        """First half of a turn: connect when it is time, hand over what is queued; False when it is over."""
        if self._finished():
            return False
        if self._session is not None:
            self._prepare(self._session, now)
        elif now >= self._deadline:
            self._connect()
        return True

    def wants(self, now: float) -> Wants:
        """Say what to wait for between the halves of a turn."""
        current = self._session
        if current is None:
            return Wants(-1, write=False, seconds=max(0.0, min(self._deadline - now, TURN_S)))
        fd = current.fileno()
        at_once = fd < 0 or current.has_read or bool(current.notes)
        seconds = 0.0 if at_once else TURN_S
        return Wants(fd, fd >= 0 and current.wants_write, seconds, self._connection)

    def go_on(self, *, readable: bool, writable: bool) -> None:
        """Second half of a turn: read and write, see what happened, and post it."""
        if (current := self._session) is None:
            return
        if current.fileno() >= 0:
            ready = readable or current.has_read
            turn(current, self._settings.broker, readable=ready, writable=writable)
        self._read_notes(current)

    def shut(self) -> None:
        """Take nothing more: nobody drives it any longer."""
        self._outgoing.shut()

    def _finished(self) -> bool:
        """Whether to end; while closing, lets the queue drain and then says goodbye."""
        if self._close_by is None:
            return False
        current = self._session
        if current is not None:
            if self._machine.state is LinkState.ONLINE:
                busy = self._outgoing or self._settled or current.unconfirmed or current.wants_write
                if busy and time.monotonic() < self._close_by:
                    return False
                current.disconnect()
            current.abandon(Reason("closed"))
        self._machine.fire(LinkStep.CLOSE)
        self._post(LinkDown("closed", refused=False))
        return True

    def _connect(self) -> None:
        self._machine.fire(LinkStep.CONNECT)
        self._connection += 1
        self._tokens.clear()
        self._settled.clear()
        self._drop_reason = None
        cert_file, key_file = self._pair()
        settings = replace(self._settings, cert_file=cert_file, key_file=key_file)
        self._up = LinkUp(self._versions.current, 0, 0, cert_file)
        self._session = session.Session(settings, self._versions.current, self._will)
        self._session.open()
        guess = self._settings.protocol == "auto" and not self._versions.proven
        wait = self._settings.answer_timeout_s
        self._deadline = time.monotonic() + (min(wait, _UNPROVEN_S) if guess else wait)
        self._read_notes(self._session)

    def _prepare(self, current: session.Session, now: float) -> None:
        """Hand over what is queued; give up a connection that does not do its work."""
        if self._drop_reason is not None:
            current.abandon(self._drop_reason)
        elif self._machine.state is LinkState.ONLINE:
            self._hand_over(current, now)
            limit = self._settings.confirm_timeout_s
            if limit and current.unconfirmed and now - self._confirmed_at >= limit:
                current.abandon(Reason("the broker confirms nothing"))
        elif now >= self._deadline:
            current.abandon(Reason("the broker does not answer"))

    def _hand_over(self, current: session.Session, now: float) -> None:
        while self._settled:
            connection, mid = self._settled.popleft()
            if connection == self._connection:
                current.confirm(mid)
        while current.unconfirmed < self._up.receive_max and (queued := self._outgoing.take()):
            token, message = queued
            if not current.unconfirmed:
                self._confirmed_at = now
            self._tokens[current.send(message)] = token

    def _read_notes(self, current: session.Session) -> None:
        while current.notes:
            match current.notes.popleft():
                case session.Received(topic, payload, retain, mid):
                    self._post(LinkMessage(topic, payload, retain, (self._connection, mid)))
                case session.Confirmed(mid, refused):
                    self._confirmed_at = time.monotonic()
                    if (token := self._tokens.pop(mid, None)) is not None:
                        self._post(LinkPublished(token, refused))
                case session.Accepted(max_packet, receive_max):
                    self._accepted(current, max_packet, receive_max)
                case session.Subscribed():
                    self._subscribed(current)
                case session.Ended(reason):
                    current.abandon(reason)
                    self._ended(current, reason)
                    return

    def _accepted(self, current: session.Session, max_packet: int, receive_max: int) -> None:
        if not self._machine.accepts(LinkStep.CONNACK):
            current.abandon(Reason("the broker sent a second CONNACK"))
            return
        self._machine.fire(LinkStep.CONNACK)
        self._versions.worked()
        self._up = replace(self._up, max_packet=max_packet, receive_max=receive_max)
        self._deadline = time.monotonic() + self._settings.answer_timeout_s
        current.subscribe(self._subscriptions)

    def _subscribed(self, current: session.Session) -> None:
        self._machine.fire(LinkStep.SUBACK)
        self._online_since = time.monotonic()
        self._confirmed_at = self._online_since
        if self._birth is not None:
            current.send(self._birth)
        self._outgoing.open(self._up.max_packet)
        emit(Event.LINK_ONLINE, self._settings.broker, protocol=self._up.protocol)
        self._post(self._up)

    def _ended(self, current: session.Session, reason: Reason) -> None:
        """Decide when to try again, and tell why."""
        self._session = None
        self._outgoing.shut()
        now, before = time.monotonic(), self._machine.state
        if current.unanswered or reason.version:
            other = self._versions.failed(certain=reason.version)
            if other and self._versions.current == "3.1.1":
                self._machine.fire(LinkStep.LOST)
                self._deadline = now
                return
        if before is LinkState.ONLINE and now - self._online_since >= _STABLE_S:
            self._backoff.reset()
        if reason.refused:
            wait = self._settings.refused_s * self._rng.uniform(0.5, 1.0)
        else:
            wait = self._backoff.next()
        self._machine.fire(LinkStep.REFUSE if reason.refused else LinkStep.LOST)
        self._deadline = now + wait
        event = Event.LINK_REFUSED if reason.refused else Event.LINK_LOST
        if reason.rival:
            event = Event.DEVICE_DOUBLED
        emit(event, self._settings.broker, reason=reason, retry_s=round(wait, 1))
        self._post(LinkDown(str(reason), reason.refused, current.met and before is LinkState.CONNECTING))
