"""Keeps a bulk connection from filling a slow link, on which other connections have to get through.

A sender has as many bytes on their way as the receiver has room for. On a slow link that passes on what came
first they all stand in one queue, and a command waits behind them. So we make no more room than the link
carries in the shortest round trip, and in a short wait on top (Little's law: what is on its way is the rate
times the delay).
"""

from __future__ import annotations

import os
import socket
import struct
from collections import deque

_FIRST, _SMALL, _LARGE = 32 << 10, 16 << 10, 1 << 20
"""Bytes of the receive window: at first, at least, at most."""
_SEGMENTS = 4
"""... and at least so many of the largest segments (64 KiB on the loopback): with fewer, senders stall."""
_QUEUE_S = 0.15
"""How long what we ask for may wait in the link's queue."""
_SOON_S, _EVERY_S = 0.05, 0.25
"""Between two counts; soon where much has come."""
_RATES = 8
"""The fastest of so many counts: the caller may be busy with something else for a while."""
_SEGMENT_AT, _RECEIVED_AT, _MIN_RTT_AT = 84, 128, 148
"""Where tcpi_advmss, tcpi_bytes_received and tcpi_min_rtt (microseconds) stand in Linux' struct tcp_info."""
_UNKNOWN = 0xFFFFFFFF


class Pace:
    """Watches a connection, and sets its receive window.

    Args:
        descriptor: the connected TCP socket's; it is duplicated.
        now: seconds, monotonic.

    Attributes:
        room: bytes of the receive window, as it was asked for last.
    """

    def __init__(self, descriptor: int, now: float) -> None:
        self._socket = socket.socket(fileno=os.dup(descriptor))
        self._since = now
        self._received = 0
        self._rates: deque[float] = deque(maxlen=_RATES)
        self.room = 0
        self._apply(max(_FIRST, self._least()))

    def look(self, now: float) -> None:
        """Adapt the window, at most once in a while."""
        took = now - self._since
        if took < _SOON_S:
            return
        facts = self._facts()
        if len(facts) < _MIN_RTT_AT + 4:
            return  # a kernel before 4.6 does not tell: the first size must do
        (received,) = struct.unpack_from("=Q", facts, _RECEIVED_AT)
        (shortest,) = struct.unpack_from("=I", facts, _MIN_RTT_AT)
        count = received - self._received
        if took < _EVERY_S and count < 2 * self.room:
            return
        self._rates.append(count / took)
        self._since, self._received = now, received
        trip = 0.0 if shortest == _UNKNOWN else shortest / 1e6
        fits = int(max(self._rates) * (trip + _QUEUE_S))
        self._apply(max(self._least(), self.room // 2, min(fits, self.room * 2, _LARGE)))

    def close(self) -> None:
        """Let go of the socket. Idempotent."""
        self._socket.close()

    def _facts(self) -> bytes:
        return self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)

    def _least(self) -> int:
        (segment,) = struct.unpack_from("=I", self._facts(), _SEGMENT_AT)
        return max(_SMALL, _SEGMENTS * int(segment))

    def _apply(self, room: int) -> None:
        self.room = room
        # The window is what counts; the buffer is larger, since what comes in small pieces takes more of it.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2 * room)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_WINDOW_CLAMP, room)
