"""A simulated device's link: the real one, driven by a loop that many devices share."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from agent.link.core import LinkCore, Wants

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.link.connection import LinkState
    from agent.link.settings import LinkMessage, LinkSettings

_NEVER_S = 3600.0


class Line:
    """As ``agent.link.mqtt.Link``, without its thread: ``begin`` and ``go_on`` are the halves of a turn.

    Args:
        settings, post, more: as ``Link`` is given them.

    Attributes:
        heartbeat: monotonic time of the last turn.
        away: whether the device has no network: it neither hears nor says anything.
        over: whether it has ended.
    """

    def __init__(self, settings: LinkSettings, *, post: Callable[[object], None], **more: Any) -> None:
        self._core = LinkCore(settings, post=post, **more)
        self.heartbeat = time.monotonic()
        self.away = False
        self.over = False
        self._started = False

    @property
    def state(self) -> LinkState:
        """Where it stands."""
        return self._core.state

    @property
    def alive(self) -> bool:
        """Whether it is driven."""
        return self._started and not self.over

    def start(self) -> None:
        """Connect with the next turn."""
        self._started = True

    def publish(
        self, topic: str, payload: bytes, *, qos: int = 1, retain: bool = False, expiry_s: int = 0
    ) -> int:
        """Queue a message; give its token. See ``LinkCore.publish`` for what it raises."""
        return self._core.publish(topic, payload, qos=qos, retain=retain, expiry_s=expiry_s)

    def settle(self, message: LinkMessage) -> None:
        """Confirm a message to the broker."""
        self._core.settle(message)

    def reconnect(self, problem: str) -> None:
        """Drop the connection, and make another."""
        self._core.reconnect(problem)

    def leave(self, now: float) -> None:
        """The network goes away: the connection is dropped without a word."""
        self._core.reconnect("the simulated network is away")
        if self._core.begin(now):
            self._core.go_on(readable=False, writable=False)
        self.away = True

    def close(self, timeout_s: float = 5.0) -> None:
        """Send what is queued, say goodbye and end, in the turns that follow."""
        self._core.leave(time.monotonic() + timeout_s)
        self.away = False

    def begin(self, now: float) -> None:
        """First half of a turn."""
        if not self.alive or self.away:
            return
        self.heartbeat = now
        if not self._core.begin(now):
            self.over = True
            self._core.shut()

    def go_on(self, *, readable: bool, writable: bool) -> None:
        """Second half."""
        if self.alive and not self.away:
            self._core.go_on(readable=readable, writable=writable)

    def wants(self, now: float) -> Wants:
        """Say what to wait for."""
        if not self.alive or self.away:
            return Wants(-1, write=False, seconds=_NEVER_S)
        return self._core.wants(now)
