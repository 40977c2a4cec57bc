"""Packets between the supervisor and a process that it started: AF_UNIX, SOCK_SEQPACKET, one message each."""

from __future__ import annotations

import array
import os
import socket
import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_PACKET = 64 << 10
"""Bytes of the largest packet; the kernel itself refuses more than about 208 KiB."""
MAX_DESCRIPTORS = 4
"""Descriptors that may ride on one packet; the kernel drops those beyond."""
_ROOM = socket.CMSG_SPACE(MAX_DESCRIPTORS * array.array("i").itemsize)


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

    def wait_for(self, timeout_s: float) -> None:
        """Have a blocking end wait so long for a packet, and then give None; socket(7), SO_RCVTIMEO."""
        us = max(1, int(timeout_s * 1e6))
        value = struct.pack("@ll", us // 1_000_000, us % 1_000_000)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, value)

    def send(self, packet: bytes) -> None:
        """Send one packet.

        Raises:
            ValueError: it is larger than MAX_PACKET: a bug of the caller.
            OSError: the other end is gone, or (not blocking) has no room.
        """
        if len(packet) > MAX_PACKET:
            raise ValueError(f"packet of {len(packet)} bytes")
        self._sock.send(packet)

    def send_with(self, packet: bytes, descriptors: Sequence[int]) -> None:
        """Send one packet with descriptors, which the other end gets copies of; ours stay open.

        Raises:
            ValueError: it is too large, or they are too many: a bug of the caller.
            OSError: as ``send``.
        """
        if len(packet) > MAX_PACKET or len(descriptors) > MAX_DESCRIPTORS:
            raise ValueError(f"packet of {len(packet)} bytes with {len(descriptors)} descriptors")
        socket.send_fds(self._sock, [packet], list(descriptors))

    def receive(self) -> bytes | None:
        """Give the next packet; b"" when the other end is closed, None when none is there (not blocking)."""
        try:
            return self._sock.recv(MAX_PACKET + 1)
        except BlockingIOError:
            return None
        except ConnectionResetError:  # it left a packet of ours unread: said once, before what it sent
            return self.receive()

    def receive_with(self) -> tuple[bytes | None, list[int]]:
        """Give the next packet as ``receive`` does, and the descriptors that came with it: the caller's."""
        try:
            packet, ancillary, _, _ = self._sock.recvmsg(MAX_PACKET + 1, _ROOM, socket.MSG_CMSG_CLOEXEC)
        except BlockingIOError:
            return None, []
        except ConnectionResetError:
            return self.receive_with()
        if not ancillary:
            return packet, []
        found = array.array("i")
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                found.frombytes(data[: len(data) - len(data) % found.itemsize])
        return packet, list(found)

    def hang_up(self) -> None:
        """Have both ends find it closed, whoever waits at them included; ``close`` is still to be called."""
        try:
            self._sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # the other end is closed already

    def close(self) -> None:
        """Close this end. Idempotent."""
        self._sock.close()


def close_all(descriptors: Sequence[int]) -> None:
    """Close descriptors that nobody wants."""
    for one in descriptors:
        os.close(one)
