"""Looks at what comes through the socket before paho keeps it: paho reads as much as a broker announces.

A packet begins with its kind and its length (MQTT 5, section 2.1). One that is larger than what was announced
in CONNECT, or a PUBLISH of QoS 2, which nobody asked for and paho would keep, ends the connection before its
body is read.
"""

from __future__ import annotations

import paho.mqtt.client as paho

_PUBLISH = 0x30
_QOS_2 = 0x04
_LENGTH_BYTES = 4


class PacketRefused(ConnectionError):
    """The broker begins a packet that is not for us."""


class Guard:
    """Follows the packets in a stream of bytes, however it is cut.

    Args:
        most: bytes of the largest packet that may come.

    Attributes:
        problem: why a packet was refused; "" while none was.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._header = bytearray()
        self._left = 0
        self.problem = ""

    def saw(self, data: bytes) -> None:
        """Follow bytes that were read.

        Raises:
            PacketRefused: a packet in them is not to be read any further.
        """
        at = 0
        while at < len(data):
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
                continue
            self._header.append(data[at])
            at += 1
            self._look()

    def _look(self) -> None:
        first, *length = self._header
        if first & 0xF0 == _PUBLISH and first & _QOS_2:
            self._refuse("it sent a message of QoS 2, and nothing of ours has that")
        if not length:
            return
        if length[-1] & 0x80:
            if len(length) == _LENGTH_BYTES:
                self._refuse("it sent a packet whose length has no end")
            return
        size = sum((byte & 0x7F) << 7 * at for at, byte in enumerate(length))
        if size + len(self._header) > self._most:
            self._refuse(f"it began a packet of {size} bytes, and {self._most} is the most")
        self._left = size
        self._header.clear()

    def _refuse(self, problem: str) -> None:
        self.problem = problem
        raise PacketRefused(problem)


class GuardedClient(paho.Client):
    """paho's client with a guard at the one place where it reads."""

    guard: Guard

    def _sock_recv(self, bufsize: int) -> bytes:
        data = super()._sock_recv(bufsize)
        self.guard.saw(data)
        return data
