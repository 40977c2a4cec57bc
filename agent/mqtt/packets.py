"""Follows MQTT packets as they come, and refuses one before its body is read: no I/O.

paho keeps as much as a broker announces. A packet begins with its kind and its length (MQTT 5, section 2.1).
These end the connection before the body is read: one larger than what was announced in CONNECT; a kind that
no broker sends to us, or that belongs to QoS 2, since paho keeps or answers each of them; and more properties
than any honest message has, since the time that paho takes for them grows with their square (m: 29 s for 250
kB of them).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Generator

_CONNACK, _PUBLISH, _PUBACK, _SUBACK, _UNSUBACK, _PINGRESP, _DISCONNECT = (
    0x20,
    0x30,
    0x40,
    0x90,
    0xB0,
    0xD0,
    0xE0,
)
_WELCOME = {_CONNACK, _PUBLISH, _PUBACK, _SUBACK, _UNSUBACK, _PINGRESP, _DISCONNECT}
_QOS_1, _QOS_2 = 0x02, 0x04
_LENGTH_BYTES = 4
_MOST_OTHER = 16 << 10
"""Bytes of a packet that is no PUBLISH: an answer, with reasons in words."""
_MOST_PROPERTIES = 1 << 10
"""Bytes of a message's properties; nothing of ours has any."""


class PacketRefused(ConnectionError):
    """The broker begins a packet that is not for us."""


class Guard:
    """Follows the packets in a stream of bytes, however it is cut.

    Args:
        most: bytes of the largest packet that may come.
        five: the connection speaks MQTT 5, whose messages have properties.

    Attributes:
        problem: why a packet was refused; "" while none was.
    """

    def __init__(self, most: int, *, five: bool) -> None:
        self._most = most
        self._five = five
        self._skip = 0
        self._packets = self._follow()
        next(self._packets)
        self.problem = ""

    def saw(self, data: bytes) -> None:
        """Follow bytes that were read.

        Raises:
            PacketRefused: a packet in them is not to be read any further.
        """
        at = 0
        while at < len(data):
            if self.problem:
                raise PacketRefused(self.problem)
            if self._skip:
                step = min(self._skip, len(data) - at)
                self._skip -= step
                at += step
                continue
            self._skip = self._packets.send(data[at])
            at += 1

    def _follow(self) -> Generator[int, int, NoReturn]:
        """Take the bytes that matter, one by one; yield how many to skip before the next."""
        left = 0
        while True:
            first = yield left
            self._judge(first)
            size, used = yield from self._number(0)
            most = self._most if first & 0xF0 == _PUBLISH else min(self._most, _MOST_OTHER)
            if 1 + used + size > most:
                self._refuse(f"it began a packet of {size} bytes, and {most} is the most")
            left = size
            if first & 0xF0 == _PUBLISH and self._five:
                left = yield from self._message(first, size)

    def _message(self, first: int, size: int) -> Generator[int, int, int]:
        """Go as far as the length of a message's properties; give how many bytes follow it."""
        if size < 2:
            self._refuse("it sent a message without a topic's length")
        high = yield 0
        topic = high << 8 | (yield 0)
        between = topic + (2 if first & _QOS_1 else 0)
        if 2 + between >= size:
            self._refuse("it sent a message that ends before its properties")
        length, used = yield from self._number(between)
        left = size - 2 - between - used
        if length > min(left, _MOST_PROPERTIES):
            self._refuse(f"it sent {length} bytes of properties, and {_MOST_PROPERTIES} is the most")
        return left

    def _number(self, skip: int) -> Generator[int, int, tuple[int, int]]:
        """Read a variable byte integer that follows after ``skip`` bytes; give it and its length."""
        value = 0
        for at in range(_LENGTH_BYTES):
            byte = yield skip if at == 0 else 0
            value |= (byte & 0x7F) << 7 * at
            if byte < 0x80:
                return value, at + 1
        self._refuse("it sent a packet whose length has no end")

    def _judge(self, first: int) -> None:
        if first & 0xF0 not in _WELCOME:
            self._refuse(f"it sent a packet of kind {first >> 4}, which is not for us")
        if first & 0xF0 == _PUBLISH and first & _QOS_2:
            self._refuse("it sent a message of QoS 2, and nothing of ours has that")

    def _refuse(self, problem: str) -> NoReturn:
        self.problem = problem
        raise PacketRefused(problem)
