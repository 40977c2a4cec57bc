"""Packets between the supervisor and a process that it started: AF_UNIX, SOCK_SEQPACKET, one message each."""

from __future__ import annotations

import socket

MAX_PACKET = 64 << 10
"""Bytes of the largest packet; the kernel itself refuses more than about 208 KiB."""


class Channel:
    """One end of the socket. The child's end blocks in ``send``; the supervisor's never blocks."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    @classmethod
    def pair(cls) -> tuple[Channel, socket.socket]:
        """Make the supervisor's end and the raw socket to hand to a child."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)  # noqa: FBT003 - the socket module's own signature
        return cls(ours), theirs

    @classmethod
    def from_fd(cls, fd: int) -> Channel:
        """Take over an inherited descriptor, blocking."""
        return cls(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET, fileno=fd))

    def fileno(self) -> int:
        """The descriptor, for a selector."""
        return self._sock.fileno()

    def send(self, packet: bytes) -> None:
        """Send one packet.

        Raises:
            ValueError: it is larger than MAX_PACKET: a bug of the caller.
            OSError: the other end is gone, or (not blocking) has no room.
        """
        if len(packet) > MAX_PACKET:
            raise ValueError(f"packet of {len(packet)} bytes")
        self._sock.send(packet)

    def receive(self) -> bytes | None:
        """Give the next packet; b"" when the other end is closed, None when none is there (not blocking)."""
        try:
            return self._sock.recv(MAX_PACKET + 1)
        except BlockingIOError:
            return None
        except ConnectionResetError:  # it left a packet of ours unread: said once, before what it sent
            return self.receive()

    def close(self) -> None:
        """Close this end. Idempotent."""
        self._sock.close()
