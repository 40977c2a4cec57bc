"""A web server that holds published files, and misbehaves as it is told."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Mapping


class WebShelf:
    """The server, on a port of its own; a context manager.

    Args:
        files: by their paths, as ``TufFleet.files`` gives them.

    Attributes:
        files: what is given; change it.
        answers: whole answers, status and headers and body, that are sent in place of a file's.
        asked: every path that was asked for, in order.
        given: how often each file was sent to its last byte.
        delay_s: before each answer.
        drips: what is sent, and what follows again and again every few milliseconds, in place of an answer.
    """

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self.files = dict(files)
        self.answers: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.delay_s = 0.0
        self.drips: dict[str, tuple[bytes, bytes]] = {}
        self._over = threading.Event()
        shelf = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                shelf._answer(self)

            def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = False
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), name="web shelf")

    @property
    def address(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.lstrip("/")
        self.asked.append(path)
        self._over.wait(self.delay_s)
        if path in self.drips:
            self._drip(handler, *self.drips[path])
            return
        if path in self.answers:
            handler.wfile.write(self.answers[path])
            handler.close_connection = True
            return
        data = self.files.get(path)
        handler.send_response(404 if data is None else 200)
        handler.send_header("Content-Length", str(len(data or b"")))
        handler.end_headers()
        try:
            handler.wfile.write(data or b"")
        except OSError as error:  # it was killed while we sent
            handler.log_error("%s", error)

    def _drip(self, handler: BaseHTTPRequestHandler, first: bytes, then: bytes) -> None:
        handler.close_connection = True
        handler.connection.settimeout(0.2)
        try:
            handler.wfile.write(first)
            while not self._over.wait(0.005):
                handler.wfile.write(then)
        except OSError as error:  # the other side has left, as it should
            handler.log_error("%s", error)
