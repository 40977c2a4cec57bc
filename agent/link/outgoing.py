"""What other threads want published, on its way to the MQTT thread: bounded, and emptied with the link."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING

from agent.errors import LinkLost, MessageInvalid

if TYPE_CHECKING:
    from agent.link.settings import Message

_OVERHEAD = 16
"""Most bytes of a PUBLISH beside topic and payload: fixed header, lengths, packet id, empty properties."""


def packet_size(message: Message) -> int:
    """Bytes that ``message`` takes on the wire, at most."""
    return len(message.topic.encode()) + len(message.payload) + _OVERHEAD


class Outgoing:
    """A queue that takes messages only while the link is up, and never one that the broker would refuse.

    Args:
        broker: for errors.
        max_messages: how many may wait.
        max_bytes: how many bytes may wait; one message always may.
    """

    def __init__(self, broker: str, *, max_messages: int = 128, max_bytes: int = 8 << 20) -> None:
        self._broker = broker
        self._max_messages = max_messages
        self._max_bytes = max_bytes
        self._guard = threading.Lock()
        self._waiting: deque[tuple[int, Message]] = deque()
        self._bytes = 0
        self._max_packet = 0
        self._token = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def open(self, max_packet: int) -> None:
        """Take messages of at most ``max_packet`` bytes from now on."""
        with self._guard:
            self._max_packet = max_packet

    def shut(self) -> None:
        """Forget what waits, and take nothing until ``open``."""
        with self._guard:
            self._max_packet = 0
            self._waiting.clear()
            self._bytes = 0

    def put(self, message: Message) -> int:
        """Queue ``message``; give its token.

        Raises:
            LinkLost: the link is down, or too much waits already.
            MessageInvalid: the broker would refuse a packet of this size, and drop the link with it.
            ValueError: no topic to publish to, or no QoS of ours: a bug.
        """
        if not message.topic or {"+", "#", "\0"} & set(message.topic) or message.qos not in (0, 1):
            raise ValueError(f"publish to {message.topic!r} at QoS {message.qos}")
        size = packet_size(message)
        with self._guard:
            if not self._max_packet:
                raise LinkLost("publish", message.topic, f"no link to {self._broker}")
            if size > self._max_packet:
                raise MessageInvalid(
                    "publish",
                    message.topic,
                    f"{size} bytes, and the broker takes {self._max_packet}",
                    "Raise the broker's limit for packets",
                )
            full = self._waiting and self._bytes + size > self._max_bytes
            if full or len(self._waiting) >= self._max_messages:
                raise LinkLost("publish", message.topic, f"too much waits for {self._broker}")
            self._token += 1
            self._waiting.append((self._token, message))
            self._bytes += size
            return self._token

    def take(self) -> tuple[int, Message] | None:
        """Give the oldest message and its token, if any."""
        with self._guard:
            if not self._waiting:
                return None
            token, message = self._waiting.popleft()
            self._bytes -= packet_size(message)
            return token, message
