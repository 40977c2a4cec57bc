"""A camera on the network that streams over RTSP: H.264, H.265 or MJPEG, through OpenCV's FFmpeg."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from agent.errors import SourceLost
from agent.sources.streaming.place import for_ffmpeg, parse
from agent.types import Frame, Needs

if TYPE_CHECKING:
    from agent.sources.streaming.reader import Reader
    from agent.sources.web.address import Address

APART = True
"""It is best read in a process of its own, which may be ended when a native call never returns."""

_OP = "read camera"
_HANGS_S = 0.5
"""How long after ``silence_s`` a reader may still be within its call before that is told, too."""


class Options(BaseModel):
    """Which camera is read, how, and as whom."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, use_attribute_docstrings=True, hide_input_in_errors=True
    )

    url: str = Field(max_length=2048, repr=False)
    """Where it is: `rtsp://192.0.2.20:554/stream1`; with `user:password@` before the host, if you like."""
    login: str = Field(default="", max_length=4096)
    """A file with one line, `user:password`, such as a credential that systemd passes; empty: none."""
    transport: Literal["tcp", "udp"] = "tcp"
    """How pictures come: `tcp` loses none of their parts, `udp` does not wait for those that are lost."""
    silence_s: float = Field(default=4.0, ge=1, le=60)
    """Seconds without a picture after which the camera counts as lost, and is opened again."""

    @field_validator("url")
    @classmethod
    def _can_be_asked(cls, url: str) -> str:
        parse(url)
        return url

    @model_validator(mode="after")
    def _has_one_login(self) -> Self:
        if self.login and parse(self.url)[1]:
            raise ValueError("name and password stand in the URL and in login: leave one of them out")
        return self

    @property
    def address(self) -> Address:
        """Where the camera is, without name and password."""
        return parse(self.url)[0]


class RtspSource:
    """Implements ``Source``.

    Args:
        reader: has opened the stream.
        options: what it was told.
        start: the number of the first frame.
    """

    def __init__(self, reader: Reader, options: Options, start: int) -> None:
        self._reader = reader
        self._shown = options.address.shown
        self._silence_s = options.silence_s
        self._next = start

    @property
    def live(self) -> bool:
        """True: what is not read in time is gone."""
        return True

    def read(self, timeout_s: float) -> Frame | None:
        """Give the newest picture: uint8 (height, width, 3), BGR, dated when it had been decoded.

        Raises:
            SourceLost: the stream ended, or has been silent for too long.
        """
        picture = self._reader.take(time.monotonic() + timeout_s)
        if picture is None:
            self._watch()
            return None
        seq, self._next = self._next, self._next + 1
        return Frame(seq, picture.captured_ns, picture.image)

    def close(self) -> None:
        """End the reader. Idempotent."""
        from agent.sources.streaming.reader import finish

        finish(self._reader)

    def _watch(self) -> None:
        """Judge the reader's silence by our own clock: time-outs of OpenCV are not all that can hold it."""
        end, silent = self._reader.end, time.monotonic() - self._reader.heard
        if end and end.problem:
            raise _lost(
                self._shown, end.problem, end.hint or "It is opened again; see who else uses the camera"
            )
        if end or silent > self._silence_s + _HANGS_S:
            told = "" if end else ", and OpenCV does not return"
            hint = "Look whether the camera hangs, or raise silence_s above the time between its key frames"
            raise _lost(self._shown, f"no picture for {silent:.1f} s{told}", hint)


def needs(options: Options) -> Needs:
    """Say what it reaches: the network, and its login."""
    return Needs(read=(options.login,) if options.login else (), network=True)


def build(options: Options, *, start: int) -> RtspSource:
    """Open the stream; the first frame given is number ``start``.

    Raises:
        SourceLost: the camera is away or refuses, or has no stream that we read.
        InputRejected: the file with the login cannot be used.
    """
    from agent.sources.streaming import reader as readers
    from agent.sources.streaming.describe import describe, greet
    from agent.sources.web.login import Login, read_login

    address, login = parse(options.url)
    asks = read_login(options.login) if options.login else Login(*login) if login else None
    if options.transport == "udp" and readers.TCP_ONLY:
        hint = 'Set transport = "tcp", or install a later OpenCV'
        raise _lost(address.shown, "OpenCV 4.11 comes by TCP, whatever it is told", hint)
    greet(address)
    url = for_ffmpeg(address, asks.pair if asks else None)
    reader = readers.start(url, options.transport, options.silence_s)
    reader.until_picture(time.monotonic() + readers.FIRST_S)
    if reader.opened and reader.end is None:
        return RtspSource(reader, options, start)
    readers.finish(reader)
    describe(address, asks)
    end = reader.end or readers.End()
    other = "udp" if options.transport == "tcp" else "tcp"
    hint = end.hint or f'Try transport = "{other}", and see who else reads the camera'
    raise _lost(address.shown, end.problem or f"it gives no picture in {readers.FIRST_S:g} s", hint)


def _lost(shown: str, problem: str, hint: str) -> SourceLost:
    return SourceLost(_OP, shown, problem, hint)
