"""A camera that sends MJPEG over HTTP, as one endless answer in parts."""

from __future__ import annotations

import time

from agent.errors import SourceLost
from agent.sources.web.multipart import Parts, boundary
from agent.sources.web.request import Get, WebOptions, needs
from agent.types import Frame

__all__ = ["HttpMjpegSource", "Options", "build", "needs"]

_OPEN_S = 4.0
"""For connecting, logging in and the headers of the answer."""


class Options(WebOptions):
    """Which stream is read, and as whom."""


class HttpMjpegSource:
    """Implements ``Source``.

    Args:
        get: the request, whose answer has begun.
        parts: takes the pictures out of it.
        options: what it was told.
        start: the number of the first frame.
    """

    def __init__(self, get: Get, parts: Parts, options: Options, start: int) -> None:
        self._get = get
        self._parts = parts
        self._shown = options.address.shown
        self._silence_s = options.silence_s
        self._next = start
        self._heard = time.monotonic()

    @property
    def live(self) -> bool:
        """True: what is not read in time is gone."""
        return True

    def read(self, timeout_s: float) -> Frame | None:
        """Give the next picture: uint8 (height, width, 3), BGR, dated when its last byte had come.

        Raises:
            SourceLost: the stream ended, broke, or has been silent for too long.
            InputRejected: this picture is damaged; its sequence number is used up.
        """
        deadline = time.monotonic() + timeout_s
        late = False  # asked for itself, as there may be something to read all the time
        while (picture := self._picture()) is None:
            if self._get.reply.complete:
                raise self._get.lost(
                    "it ended the stream", "It is opened again; see who else uses the camera"
                )
            data = None if late else self._get.advance(deadline)
            if data is None:
                self._watch()
                return None
            self._parts.feed(data)
            late = time.monotonic() >= deadline
        return self._frame(picture)

    def close(self) -> None:
        """Close the connection."""
        self._get.close()

    def _picture(self) -> bytes | None:
        try:
            return self._parts.next()
        except ValueError as error:
            raise self._get.lost(str(error), "Check that the URL names an MJPEG stream") from None

    def _frame(self, picture: bytes) -> Frame:
        from agent.sources.pictures.decoding import decode_jpeg

        now_ns = time.monotonic_ns()
        self._heard = time.monotonic()
        seq, self._next = self._next, self._next + 1
        return Frame(seq, now_ns, decode_jpeg(self._shown, seq, picture))

    def _watch(self) -> None:
        silent = time.monotonic() - self._heard
        if silent > self._silence_s:
            hint = "Look whether the camera hangs, or raise silence_s for one that is slower"
            raise self._get.lost(f"no picture for {silent:.1f} s", hint)


def build(options: Options, *, start: int) -> HttpMjpegSource:
    """Connect to the camera; the first frame given is number ``start``.

    Raises:
        SourceLost: it is away, refuses, or sends no such stream.
        InputRejected: the file with the login cannot be used.
    """
    from agent.sources._quiet import quiet
    from agent.sources.web.login import read_login

    quiet()
    get = Get(options.address, read_login(options.login) if options.login else None)
    try:
        parts = _begin(get)
    except SourceLost:
        get.close()
        raise
    return HttpMjpegSource(get, parts, options, start)


def _begin(get: Get) -> Parts:
    """Wait for the head of the answer, and prepare for what it announces."""
    deadline = time.monotonic() + _OPEN_S
    body = b""
    while get.reply.status == 0:
        data = get.advance(deadline)
        if data is None:
            raise get.lost(f"no answer in {_OPEN_S:g} s", "Check the camera's power, network and address")
        body += data
    separator = boundary(get.reply.header("content-type"))
    if separator is None:
        hint = "Name its MJPEG stream, or use http_snapshot for single pictures"
        raise get.lost("its answer is no multipart stream", hint)
    parts = Parts(separator)
    parts.feed(body)
    return parts
