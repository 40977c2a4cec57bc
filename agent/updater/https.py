"""A mirror on a web server: the same files at the same paths below its address, each read within bounds."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from agent.config import addresses
from agent.errors import Absent, FetchFailed, LinkLost
from agent.published import BLOB

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_CONNECT_S, _SILENCE_S = 10.0, 20.0
_SLOWEST = 2 << 10
"""Bytes a second: a server that drips its answer more slowly is left."""
_GRACE_S = 30.0
_BLOCK = 64 << 10
_ABSENT = (403, 404, 410)
"""Stores of objects answer 403 for what is not there, to those who may not list."""
_TRIES = 3
_LOOK_S = 0.05

logging.getLogger("urllib3").setLevel(logging.ERROR)  # it would log a server's headers as they are


class Mirror:
    """Published files on a web server. Redirections are not followed, and nothing is unpacked.

    Args:
        address: ``https://...`` or ``http://...``; paths follow after it.
        key: where it stands, for the error.

    Raises:
        ConfigInvalid: it is no such address.
    """

    def __init__(self, address: str, key: str = "models.mirror") -> None:
        secure = addresses.given(address, key).scheme == "https"
        self._address = address.rstrip("/")
        self._pool = urllib3.PoolManager(
            num_pools=1,
            maxsize=1,
            retries=False,
            timeout=urllib3.Timeout(connect=_CONNECT_S, read=_SILENCE_S),
            ssl_context=ssl.create_default_context() if secure else None,
        )
        self._line: socket.socket | None = None
        self._host: Any = self._pool.connection_from_url(address)
        self._host.ConnectionCls = self._watched(HTTPSConnection if secure else HTTPConnection)

    def get(self, path: str, most: int) -> bytes:
        """Give a file; see ``seams.Shelf``."""
        problem: Exception | None = None
        for _ in range(_TRIES):
            try:
                return self._get(path, most)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                problem = error
        text = " ".join(str(problem).split())[:200]
        raise LinkLost("fetch", f"{self._address}/{path}", text, "Check the mirror's address") from problem

    def chunks(self, sha256: str, numbers: Sequence[int], most: int) -> Iterator[tuple[int, bytes]]:
        """Give chunks of a file; see ``seams.Shelf``."""
        absent = []
        for number in numbers:
            try:
                data = self.get(f"{BLOB}/{sha256}/{number}", most)
            except Absent:
                absent.append(number)
            else:
                yield number, data
        if absent:
            named = ", ".join(map(str, absent[:8])) + (f" and {len(absent) - 8} more" if absent[8:] else "")
            hint = "Copy the files to the mirror again: edgectl mirror"
            raise Absent("fetch", f"{self._address}/{BLOB}/{sha256}", f"chunks {named} are not there", hint)

    def close(self) -> None:
        """Close the connection."""
        self._pool.clear()
        self._host.close()
        self._let_go()

    def _let_go(self) -> None:
        if self._line is not None:
            self._line.close()

    def _get(self, path: str, most: int) -> bytes:
        url = f"{self._address}/{path}"
        with self._ended_after(_GRACE_S + most / _SLOWEST) as late:
            problem: Exception | None = None
            try:
                found = self._read(url, most)
            except (urllib3.exceptions.HTTPError, OSError) as error:
                problem = error
            if late.is_set():
                raise FetchFailed("fetch", url, "it comes too slowly", "Check the mirror") from problem
            if problem is not None:
                raise problem
            return found

    def _read(self, url: str, most: int) -> bytes:
        response = self._pool.request(
            "GET", url, redirect=False, preload_content=False, decode_content=False,
            headers={"Accept-Encoding": "identity", "User-Agent": "edge-agent"},
        )  # fmt: skip
        try:
            _judge(response.status, url)
            found = bytearray()
            while block := response.read1(_BLOCK):
                found += block
                if len(found) > most:
                    hint = "Publish it again with: edgectl publish"
                    raise FetchFailed("fetch", url, f"it has more than {most} bytes", hint)
            response.release_conn()
        finally:
            response.close()
        return bytes(found)

    def _watched(self, kind: type[HTTPConnection]) -> type[HTTPConnection]:
        """Make a kind of connection whose socket we have, too, before TLS does: its handshake can drip."""
        mirror = self

        class Watched(kind):  # type: ignore[valid-type,misc]  # a parameter as a base
            def _new_conn(self) -> socket.socket:
                sock: socket.socket = super()._new_conn()
                mirror._let_go()
                mirror._line = sock.dup()
                return sock

        return Watched

    @contextmanager
    def _ended_after(self, limit_s: float) -> Iterator[threading.Event]:
        """Hang up when it lasts longer, wherever it hangs; the event tells whether.

        A limit for silence is none for a server that sends a byte now and then, of headers without an end.
        """
        over, late = threading.Event(), threading.Event()

        def watch() -> None:
            left = max(0.0, limit_s)
            while not over.wait(left):
                late.set()
                left = _LOOK_S
                if self._line is not None:
                    try:
                        self._line.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        return  # the other side was quicker

        thread = threading.Thread(target=watch, name="mirror watch", daemon=True)
        thread.start()
        try:
            yield late
        finally:
            over.set()
            thread.join()


def _judge(status: int, url: str) -> None:
    if status in _ABSENT:
        hint = "Copy the files to the mirror again: edgectl mirror"
        raise Absent("fetch", url, f"it is not there (HTTP {status})", hint)
    if status != 200:
        hint = "Redirections are not followed: give the mirror's own address" if 300 <= status < 400 else ""
        raise FetchFailed("fetch", url, f"the server answers with HTTP {status}", hint or "Check the mirror")
