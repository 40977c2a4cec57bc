"""The MQTT thread: it alone touches paho, keeps the link up, and tells of it through ``post``."""

from __future__ import annotations

import os
import select
import threading
import time
from typing import TYPE_CHECKING

from agent.link.core import TURN_S, LinkCore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from random import Random

    from agent.link.connection import LinkState
    from agent.link.core import Wants
    from agent.link.settings import LinkMessage, LinkSettings, Message


class Link:
    """A connection to one broker that comes back by itself. Start it, publish, close it.

    ``post`` is called in the MQTT thread with LinkUp, LinkDown, LinkMessage and LinkPublished; it must be
    quick and may not raise.

    Args:
        subscriptions: topic filters and their QoS, subscribed to on every connection.
        will: what the broker publishes when it loses us without a goodbye.
        birth: published first whenever the link is up. A clean ``close`` publishes no farewell by itself.
        pair: gives the files of certificate and key, at each attempt; those of ``settings`` else.

    Attributes:
        heartbeat: monotonic time of the thread's last turn. A turn takes about a second, but an attempt to
            connect blocks as long as name look-up, TCP and TLS do.
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
    ) -> None:
        self._core = LinkCore(
            settings,
            post=post,
            subscriptions=subscriptions,
            will=will,
            birth=birth,
            pair=pair,
            rng=rng,
            wake=self._wake,
        )
        self._wake_guard = threading.Lock()
        self._wake_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)
        self.heartbeat = time.monotonic()

    @property
    def state(self) -> LinkState:
        """Where the link stands; for status."""
        return self._core.state

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread; it connects at once, and again whenever the link is lost."""
        self._thread.start()

    def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False, expiry_s: int = 0
    ) -> int:
        """Queue a message; give the token that LinkPublished will carry. Any thread; never blocks.

        Raises:
            LinkLost: the link is down, or too much waits already. Nothing is kept for later.
            MessageInvalid: the broker would refuse a packet of this size.
        """
        return self._core.publish(topic, payload, qos=qos, retain=retain, expiry_s=expiry_s)

    def settle(self, message: LinkMessage) -> None:
        """Confirm a message to the broker, with ``manual_ack``; one of an earlier connection is ignored."""
        self._core.settle(message)

    def reconnect(self, problem: str) -> None:
        """Drop a connection that does not do its work, and connect again. Any thread."""
        self._core.reconnect(problem)

    def close(self, timeout_s: float = 5.0) -> None:
        """Send what is queued, say goodbye, end the thread; after ``timeout_s`` just end it. Idempotent."""
        self._core.leave(time.monotonic() + timeout_s)
        if self._thread.ident is None:
            self._free()
            return
        self._wake()
        # A name look-up cannot be interrupted: the thread then ends by itself, later.
        self._thread.join(timeout_s + TURN_S)

    def _wake(self) -> None:
        with self._wake_guard:
            if self._wake_fd >= 0:
                os.eventfd_write(self._wake_fd, 1)

    def _free(self) -> None:
        with self._wake_guard:
            if self._wake_fd >= 0:
                os.close(self._wake_fd)
                self._wake_fd = -1

    def _run(self) -> None:
        try:
            while self._core.begin(now := time.monotonic()):
                self.heartbeat = now
                readable, writable = self._wait(self._core.wants(now))
                self._core.go_on(readable=readable, writable=writable)
        finally:
            self._core.shut()
            self._free()

    def _wait(self, wants: Wants) -> tuple[bool, bool]:
        """Wait for the socket, a wake-up or the time; say whether the socket is readable and writable."""
        poll = select.poll()
        poll.register(self._wake_fd, select.POLLIN)
        if wants.fd >= 0:
            poll.register(wants.fd, select.POLLIN | (select.POLLOUT if wants.write else 0))
        ready = dict(poll.poll(wants.seconds * 1000))
        if self._wake_fd in ready:
            os.eventfd_read(self._wake_fd)
        events = ready.get(wants.fd, 0)
        return bool(events & ~select.POLLOUT), bool(events & select.POLLOUT)
