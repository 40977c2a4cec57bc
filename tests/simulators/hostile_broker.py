"""A broker that does as it is told, packet by packet: polite by default, hostile where a test says so."""

from __future__ import annotations

import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Self

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CONNECT, CONNACK, PUBLISH, PUBACK, SUBSCRIBE, SUBACK, PINGREQ, PINGRESP, DISCONNECT = (
    1,
    2,
    3,
    4,
    8,
    9,
    12,
    13,
    14,
)


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet of a client: on which connection, of which kind, and what follows its length."""

    connection: int
    kind: int
    flags: int
    body: bytes

    @property
    def five(self) -> bool:
        """Whether a CONNECT asks for MQTT 5."""
        return self.body[6:7] == b"\5"


Answer = Callable[[Packet], bytes | None]
"""Bytes to send back; None closes the connection."""


def length(size: int) -> bytes:
    """A size as a variable byte integer."""
    found = b""
    while True:
        size, low = divmod(size, 128)
        found += bytes([low | (0x80 if size else 0)])
        if not size:
            return found


def frame(first: int, body: bytes) -> bytes:
    """Put the fixed header before ``body``."""
    return bytes([first]) + length(len(body)) + body


def publish(topic: bytes, payload: bytes, *, qos: int = 0, mid: int = 1, five: bool = False) -> bytes:
    """A PUBLISH of any bytes as its topic."""
    body = len(topic).to_bytes(2, "big") + topic
    body += mid.to_bytes(2, "big") if qos else b""
    return frame(0x30 | qos << 1, body + (b"\0" if five else b"") + payload)


class _OneAtATime(ssl.SSLSocket):
    """TLS that one thread reads while another writes: OpenSSL stands only one of them at a time."""

    lock: threading.Lock

    def recv_into(self, buffer: object, nbytes: int | None = None, flags: int = 0) -> int:
        if not self.pending():
            select.select([self], [], [])  # waits outside the lock
        with self.lock:
            return super().recv_into(buffer, nbytes, flags)  # type: ignore[arg-type]

    def sendall(self, data: bytes, flags: int = 0) -> None:  # type: ignore[override]
        with self.lock:
            super().sendall(data, flags)


class HostileBroker:
    """Listens on a free loopback port until it is closed.

    Args:
        answers: by packet kind, what to do instead of the polite thing.
        tls: files of a certificate and its key, to speak TLS.
        buffer: bytes that the kernel keeps of what comes and is not read; 0: as many as it likes.

    Attributes:
        packets: all that clients have sent.
        problems: errors of connections that clients have dropped.
    """

    def __init__(
        self,
        answers: Mapping[int, Answer] | None = None,
        tls: tuple[Path, Path] | None = None,
        buffer: int = 0,
    ) -> None:
        self._tls: ssl.SSLContext | None = None
        if tls:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.sslsocket_class = _OneAtATime
            self._tls.load_cert_chain(*tls)
        self.answers = dict(answers or {})
        self.packets: list[Packet] = []
        self.problems: list[OSError] = []
        self._five: dict[int, bool] = {}
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        if buffer:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.port: int = self._listener.getsockname()[1]
        self._closing = False
        self._start(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.hang_up()
        for thread in self._threads:
            thread.join(5)

    def send(self, data: bytes) -> None:
        """Send bytes to every open connection."""
        for connection in list(self._open):
            connection.sendall(data)

    def hang_up(self) -> None:
        """Close every open connection."""
        for connection in list(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError as error:  # the client was faster
                self.problems.append(error)

    def seen(self, kind: int) -> list[Packet]:
        """The packets of one kind, so far."""
        return [packet for packet in self.packets if packet.kind == kind]

    def wait_for(self, kind: int, count: int) -> None:
        """Wait until so many packets of one kind have come."""
        give_up = time.monotonic() + 30
        while len(self.seen(kind)) < count:
            assert time.monotonic() < give_up, self.packets
            time.sleep(0.01)

    def polite(self, packet: Packet) -> bytes | None:
        """What a good broker answers."""
        five = self._five.get(packet.connection, False)
        match packet.kind:
            case 1:
                return frame(0x20, b"\0\0\0" if five else b"\0\0")
            case 3 if packet.flags & 6:
                topic = int.from_bytes(packet.body[:2], "big")
                return frame(0x40, packet.body[2 + topic : 4 + topic])
            case 8:
                count = _filters(packet.body[3 if five else 2 :])
                return frame(0x90, packet.body[:2] + (b"\0" if five else b"") + b"\1" * count)
            case 12:
                return frame(0xD0, b"")
            case 14:
                return None
        return b""

    def _start(self, target: Callable[[], None]) -> None:
        thread = threading.Thread(target=target, name="hostile-broker", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        number = 0
        while not self._closing:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            number += 1
            self._start(lambda connection=connection, number=number: self._serve(connection, number))  # type: ignore[misc]

    def _serve(self, connection: socket.socket, number: int) -> None:
        try:
            if self._tls:
                connection = secure = self._tls.wrap_socket(connection, server_side=True)
                secure.lock = threading.Lock()  # type: ignore[attr-defined]
        except OSError as error:
            self.problems.append(error)
            connection.close()
            return
        with connection, connection.makefile("rb") as stream:
            self._open.append(connection)
            try:
                while packet := _read(stream, number):
                    if packet.kind == CONNECT:
                        self._five[number] = packet.five
                    self.packets.append(packet)
                    answer = self.answers.get(packet.kind, self.polite)(packet)
                    if answer is None:
                        break
                    connection.sendall(answer)
            except OSError as error:
                self.problems.append(error)
            finally:
                self._open.remove(connection)


def _filters(body: bytes) -> int:
    """Count the filters of a SUBSCRIBE."""
    count = 0
    while body:
        body = body[3 + int.from_bytes(body[:2], "big") :]
        count += 1
    return count


def _read(stream: BinaryIO, connection: int) -> Packet | None:
    """Read one packet; None at the end of the connection."""
    first = stream.read(1)
    size, shift = 0, 0
    while byte := stream.read(1):
        size |= (byte[0] & 0x7F) << shift
        shift += 7
        if byte[0] < 0x80:
            return Packet(connection, first[0] >> 4, first[0] & 0x0F, stream.read(size))
    return None
