"""A TCP connection that is never waited for longer than asked."""

from __future__ import annotations

import errno
import os
import select
import socket
import time
from typing import TYPE_CHECKING

from agent.errors import SourceLost

if TYPE_CHECKING:
    from agent.sources.web.address import Address

_RECEIVE_BUFFER = 256 << 10
"""Bytes that the kernel keeps for us: few enough that a slow reader does not see the past."""
_PIECE = 64 << 10
_MAX_ADDRESSES = 4
_HINT = "Check the camera's power, network and address; it is tried again"


class Connection:
    """Sends a request as soon as it is connected, and gives what comes back.

    Args:
        address: where to connect to; looking its name up may wait for a name server.
        request: what is sent.

    Raises:
        SourceLost: the name is not known.
    """

    def __init__(self, address: Address, request: bytes) -> None:
        self._shown = address.shown
        self._request = request
        self._unsent = request
        self._socket: socket.socket | None = None
        try:
            found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:  # a name may be one that no name server can be asked for
            problem = error.strerror if isinstance(error, OSError) else ""
            raise self._lost((problem or "the name cannot be looked up").lower()) from error
        self._candidates = found[:_MAX_ADDRESSES]
        self._connected = False
        self._try_next(0)

    def receive(self, deadline: float) -> bytes | None:
        """Give the bytes that came, b"" when the server ended the connection, None when none came in time.

        Args:
            deadline: CLOCK_MONOTONIC, seconds.

        Raises:
            SourceLost: the connection cannot be made, or broke.
        """
        while True:
            wanted = select.POLLOUT if self._unsent else select.POLLIN
            if not self._poll(wanted, deadline):
                return None
            try:
                data = self._go_on()
            except BlockingIOError:  # it was not ready after all
                data = None
            except OSError as error:
                if self._connected or not self._candidates:
                    raise self._lost(_told(error)) from error
                self._try_next(error.errno or 0)
                data = None
            if data is not None:
                return data

    def _go_on(self) -> bytes | None:
        """Take the step that the connection is ready for; give what was received, if it was that."""
        if not self._connected:
            self._check()
        elif self._unsent:
            self._unsent = self._unsent[self._open().send(self._unsent) :]
        else:
            return self._open().recv(_PIECE)
        return None

    def close(self) -> None:
        """Close it. Idempotent."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _try_next(self, code: int) -> None:
        """Begin to connect to the next of the host's addresses."""
        while self._candidates:
            self.close()
            family, kind, protocol, _, target = self._candidates.pop(0)
            try:
                self._socket = socket.socket(family, kind | socket.SOCK_NONBLOCK, protocol)
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
                code = self._socket.connect_ex(target)
            except OSError as error:
                code = error.errno or 0
            if code in {0, errno.EINPROGRESS}:
                return
        self.close()
        raise self._lost(os.strerror(code).lower())

    def _check(self) -> None:
        code = self._open().getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if code:
            raise OSError(code, os.strerror(code))
        self._connected = True

    def _poll(self, events: int, deadline: float) -> bool:
        poll = select.poll()
        poll.register(self._open(), events)
        return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))

    def _open(self) -> socket.socket:
        if self._socket is None:
            raise self._lost("the connection is closed")
        return self._socket

    def _lost(self, problem: str) -> SourceLost:
        return SourceLost("read camera", self._shown, problem, _HINT)


def _told(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
