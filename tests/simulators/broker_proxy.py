"""A TCP proxy before a broker that can go silent: the connection stays open, and nothing passes any more."""

from __future__ import annotations

import selectors
import socket
import threading
import time
from typing import Self


class BrokerProxy:
    """Passes bytes between clients and ``127.0.0.1:target`` until it is closed.

    Args:
        target: the broker's port.
        bytes_per_s: how fast, in all; None for no limit.

    Attributes:
        silent: swallow everything instead, in both directions; new connections are accepted, and starve.
    """

    def __init__(self, target: int, bytes_per_s: int | None = None) -> None:
        self.silent = False
        self._bytes_per_s = bytes_per_s
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ, None)
        self._closing = self._dropping = False
        self._stranded: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._run, name="broker-proxy", daemon=True)
        self._thread.start()

    def strand(self) -> None:
        """Leave the connections of now half-open for ever; new ones work."""
        self._stranded |= {key.fileobj for key in list(self._selector.get_map().values()) if key.data}  # type: ignore[misc]

    def drop(self) -> None:
        """End the connections of now; new ones work."""
        self._dropping = True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing = True
        self._thread.join(5)
        for key in list(self._selector.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
        self._selector.close()

    def _run(self) -> None:
        while not self._closing:
            if self._dropping:
                self._dropping = False
                for key in list(self._selector.get_map().values()):
                    if key.data is not None:
                        self._selector.unregister(key.fileobj)
                        key.fileobj.close()  # type: ignore[union-attr]
            for key, _ in self._selector.select(0.05):
                if key.data is None:
                    self._accept()
                else:
                    self._pass_on(key.fileobj, key.data)  # type: ignore[arg-type]

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        try:
            broker = socket.create_connection(("127.0.0.1", self._target), timeout=5)
        except OSError:
            client.close()
            return
        self._selector.register(client, selectors.EVENT_READ, broker)
        self._selector.register(broker, selectors.EVENT_READ, client)

    def _pass_on(self, source: socket.socket, sink: socket.socket) -> None:
        if source.fileno() < 0:
            return
        try:
            data = source.recv(65536 if self._bytes_per_s is None else self._bytes_per_s // 20)
            if data and not self.silent and source not in self._stranded:
                sink.sendall(data)
                if self._bytes_per_s is not None:
                    time.sleep(len(data) / self._bytes_per_s)
        except OSError:
            data = b""
        if not data:
            for end in (source, sink):
                self._selector.unregister(end)
                self._stranded.discard(end)
                end.close()
