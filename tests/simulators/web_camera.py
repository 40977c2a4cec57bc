"""A camera on the network: a real server on the loopback that does with each connection what a test says."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import re
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Self

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    Manners = Callable[["Visit"], None]

SEPARATOR = "shot"


def jpeg(level: int, width: int = 64, height: int = 48) -> bytes:
    """Give a grey picture."""
    return bytes(cv2.imencode(".jpg", np.full((height, width, 3), level, np.uint8))[1])


class Visit:
    """One connection.

    Attributes:
        request: the head of what was asked.
        number: how many connections came before it.
        over: set when the camera is switched off.
    """

    def __init__(self, client: socket.socket, request: str, number: int, over: threading.Event) -> None:
        self._client = client
        self.request = request
        self.number = number
        self.over = over

    @property
    def target(self) -> str:
        return self.request.split(" ")[1]

    def header(self, name: str) -> str:
        found = re.search(rf"^{name}: (.*)\r$", self.request, re.MULTILINE | re.IGNORECASE)
        return found[1] if found else ""

    def send(self, data: bytes) -> None:
        self._client.sendall(data)

    def head(self, *lines: str, status: str = "200 OK") -> None:
        self.send("\r\n".join([f"HTTP/1.1 {status}", *lines, "", ""]).encode())

    def linger(self) -> None:
        """Wait until the other side closes the connection."""
        self._client.recv(1)

    def picture(self, data: bytes) -> None:
        self.head("Content-Type: image/jpeg", f"Content-Length: {len(data)}")
        self.send(data)

    def stream(self) -> None:
        self.head(f"Content-Type: multipart/x-mixed-replace; boundary={SEPARATOR}")

    def part(self, data: bytes) -> None:
        self.send(part(data))


def part(data: bytes, *, counted: bool = True) -> bytes:
    """Give a picture as it stands in a stream."""
    length = f"Content-Length: {len(data)}\r\n" if counted else ""
    return f"--{SEPARATOR}\r\nContent-Type: image/jpeg\r\n{length}\r\n".encode() + data + b"\r\n"


class WebCamera:
    """Serves until it is left; ``manners`` runs in a thread for each connection.

    Attributes:
        visits: what was asked so far.
    """

    def __init__(self, manners: Manners, *, port: int = 0) -> None:
        self._manners = manners
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        self.visits: list[str] = []
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._accept)]
        self._clients: list[socket.socket] = []

    def url(self, target: str = "/video") -> str:
        return f"http://127.0.0.1:{self.port}{target}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join()
        for client in self._clients:
            with contextlib.suppress(OSError):
                client.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()

    def _accept(self) -> None:
        while not self._over.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._clients.append(client)
            self._threads.append(threading.Thread(target=self._serve, args=(client, len(self.visits))))
            self._threads[-1].start()

    def _serve(self, client: socket.socket, number: int) -> None:
        with client, contextlib.suppress(OSError):
            data = b""
            while not data.endswith(b"\r\n\r\n"):
                got = client.recv(4096)
                if not got:
                    return
                data += got
            self.visits.append(data.decode())
            self._manners(Visit(client, data.decode(), number, self._over))


def digest_of(user: str, password: str, header: str, algorithm: str = "md5") -> str:
    """Compute what a server expects as the response of a Digest header (RFC 7616)."""
    asked = dict(re.findall(r'(\w+)="?([^",]*)"?', header))

    def hashed(text: str) -> str:
        return hashlib.new(algorithm, text.encode(), usedforsecurity=False).hexdigest()

    secret, request = hashed(f"{user}:{asked['realm']}:{password}"), hashed(f"GET:{asked['uri']}")
    middle = f"{asked['nonce']}:{asked['nc']}:{asked['cnonce']}:{asked['qop']}"
    return hashed(f"{secret}:{middle}:{request}")


def _fill(path: str, pause_s: float) -> None:
    """Write grey frames of 64x48 bytes into a pipe: few enough that each is written whole or not at all."""
    while True:
        with contextlib.suppress(BrokenPipeError), Path(path).open("wb", buffering=0) as pipe:
            for number in itertools.count():
                pipe.write(bytes([number % 250]) * (64 * 48))
                time.sleep(pause_s)


def _serve_for_ever() -> None:
    """Be a camera of its own, told its port on stdout, until stdin closes: frames brighter by 25 each.

    ``/fast`` and ``/slow`` are streams, the second with 0.6 s between two; all else is one picture. With
    ``?pipe`` grey frames also go into that named pipe, for ever, whenever somebody reads it.
    """

    def manners(visit: Visit) -> None:
        name, _, path = visit.target.partition("?")
        if path:
            pause_s = 0.6 if name == "/slow" else 0.002
            threading.Thread(target=_fill, args=(path, pause_s), daemon=True).start()
        if visit.target not in {"/fast", "/slow"}:
            visit.picture(jpeg(100))
            return
        visit.stream()
        for number in range(10):
            visit.part(jpeg(25 * number))
            visit.over.wait(0.6 if visit.target == "/slow" else 0)
        visit.linger()

    with WebCamera(manners) as camera:
        print(camera.port, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    _serve_for_ever()
