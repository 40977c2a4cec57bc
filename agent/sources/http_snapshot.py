"""A camera that is asked over HTTP for one picture after the other."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pydantic import Field

from agent.sources._pace import Pace
from agent.sources.web.request import Get, WebOptions, needs
from agent.types import Frame

if TYPE_CHECKING:
    from agent.sources.web.login import Login

__all__ = ["HttpSnapshotSource", "Options", "build", "needs"]

MAX_PICTURE = 16 << 20
"""Bytes of one picture."""


class Options(WebOptions):
    """Which picture is fetched, how often, and as whom."""

    interval_s: float = Field(default=1.0, ge=0.05, le=86400)
    """Seconds from one request to the next."""


class HttpSnapshotSource:
    """Implements ``Source``. A request takes as many reads as it needs, and a connection of its own."""

    def __init__(self, options: Options, login: Login | None, start: int) -> None:
        self._options = options
        self._login = login
        self._next = start
        self._pace = Pace(options.interval_s)
        self._get: Get | None = None
        self._body = bytearray()
        self._asked = 0.0

    @property
    def live(self) -> bool:
        """True: the scene does not wait."""
        return True

    def read(self, timeout_s: float) -> Frame | None:
        """Give the next picture: uint8 (height, width, 3), BGR, dated when its last byte had come.

        Raises:
            SourceLost: the camera is away, refuses, or has been silent for too long.
            InputRejected: what it sent is no picture, or a damaged one; its sequence number is used up.
        """
        deadline = time.monotonic() + timeout_s
        if self._get is None:
            if not self._pace.wait(timeout_s):
                return None
            self._body.clear()
            self._get = Get(self._options.address, self._login)
            self._asked = time.monotonic()
        return self._frame() if self._fetch(self._get, deadline) else None

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._get is not None:
            self._get.close()
            self._get = None

    def _fetch(self, get: Get, deadline: float) -> bool:
        """Go on with the request; False when its answer is not whole in time."""
        while not get.reply.complete:
            data = get.advance(deadline)
            if data is not None:
                self._body += data
            if len(self._body) > MAX_PICTURE:
                problem = f"a picture of more than {MAX_PICTURE >> 20} MiB"
                raise get.lost(problem, "Name a single picture; for a stream use http_mjpeg")
            if data is None or (time.monotonic() >= deadline and not get.reply.complete):
                self._watch(get)
                return False
        return True

    def _frame(self) -> Frame:
        from agent.sources.pictures.decoding import decode_jpeg

        now_ns = time.monotonic_ns()
        self.close()
        seq, self._next = self._next, self._next + 1
        return Frame(seq, now_ns, decode_jpeg(self._options.address.shown, seq, bytes(self._body)))

    def _watch(self, get: Get) -> None:
        silent = time.monotonic() - self._asked
        if silent > self._options.silence_s:
            hint = "Look whether the camera hangs, or raise silence_s for one that is slower"
            raise get.lost(f"no picture in {silent:.1f} s", hint)


def build(options: Options, *, start: int) -> HttpSnapshotSource:
    """Make the source; nothing is asked yet. The first frame given is number ``start``.

    Raises:
        InputRejected: the file with the login cannot be used.
    """
    from agent.sources._quiet import quiet
    from agent.sources.web.login import read_login

    quiet()
    return HttpSnapshotSource(options, read_login(options.login) if options.login else None, start)
