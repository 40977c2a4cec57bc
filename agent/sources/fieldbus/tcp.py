"""Modbus over TCP: MODBUS Messaging on TCP/IP Implementation Guide V1.0b, section 3.1."""

from __future__ import annotations

import math
import select
import socket
import struct
import time

from agent.errors import SourceLost

_HEADER = struct.Struct(">HHHB")
"""The request's number, the protocol (0), the bytes that follow, the unit."""
_MOST_BYTES = 254
_PIECE = 512
_MOST_ADDRESSES = 4


class Tcp:
    """Implements ``Wire``.

    Args:
        host: a name or an address; looking a name up may wait for a name server.
        port: TCP port.
        unit: whom the requests are for.
        timeout_s: the longest that connecting may take, seconds.

    Raises:
        SourceLost: the connection cannot be made.
    """

    def __init__(self, host: str, port: int, unit: int, timeout_s: float) -> None:
        self._name = f"{host}:{port} unit {unit}"
        self._unit = unit
        self._number = 0
        self._held = b""
        self._socket = self._connected(host, port, timeout_s)
        self._socket.settimeout(0)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)

    @property
    def name(self) -> str:
        """The address, and the unit."""
        return self._name

    def ask(self, pdu: bytes) -> None:
        """Send a request. What comes late for an earlier one is not taken for its answer.

        Raises:
            SourceLost: the connection broke.
        """
        self._number = self._number % 0xFFFF + 1
        try:
            self._socket.sendall(_HEADER.pack(self._number, 0, len(pdu) + 1, self._unit) + pdu)
        except OSError as error:
            raise self._lost(_plain(error)) from error

    def answer(self, deadline: float) -> bytes | str | None:
        """Give the answer's bytes, why they are none, or None when it did not come in time.

        Args:
            deadline: CLOCK_MONOTONIC, seconds.

        Raises:
            SourceLost: the connection broke, or the other end speaks another protocol.
        """
        found = self._next()
        while found is None:
            if not self._poll.poll(math.ceil(max(0.0, deadline - time.monotonic()) * 1000)):
                return None
            self._receive()
            found = self._next()
            if found is None and time.monotonic() >= deadline:  # what comes may be no answer, without an end
                return None
        return found

    def close(self) -> None:
        """Close the connection. Idempotent."""
        self._socket.close()

    def _receive(self) -> None:
        try:
            data = self._socket.recv(_PIECE)
        except OSError as error:
            raise self._lost(_plain(error)) from error
        if not data:
            raise self._lost("the other end has closed the connection")
        self._held += data

    def _next(self) -> bytes | str | None:
        """Take the next whole answer that is not late out of what came."""
        while len(self._held) >= _HEADER.size:
            number, protocol, size, unit = _HEADER.unpack_from(self._held)
            if protocol or not 2 <= size <= _MOST_BYTES:
                raise self._lost("what it sends is not Modbus over TCP")
            end = _HEADER.size - 1 + size
            if len(self._held) < end:
                return None
            pdu, self._held = self._held[_HEADER.size : end], self._held[end:]
            if number == self._number:
                return pdu if unit == self._unit else f"unit {unit} answers in its place"
        return None

    def _connected(self, host: str, port: int, timeout_s: float) -> socket.socket:
        problem = "the name has no address"
        give_up = time.monotonic() + timeout_s
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[:_MOST_ADDRESSES]
        except OSError as error:
            raise self._lost(_plain(error)) from error
        except UnicodeError as error:  # it is one that no name server can be asked for
            raise self._lost(problem) from error
        for family, kind, protocol, _, target in found:
            made = None
            try:
                made = socket.socket(family, kind, protocol)
                made.settimeout(max(0.01, give_up - time.monotonic()))
                made.connect(target)
            except OSError as error:
                problem = _plain(error)
                if made is not None:
                    made.close()
            else:
                return made
        raise self._lost(problem)

    def _lost(self, problem: str) -> SourceLost:
        hint = "Check its power, network and address, and that nobody else takes all its connections"
        return SourceLost("read registers", self._name, problem, hint)


def _plain(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
