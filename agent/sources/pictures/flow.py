"""Frames that flow out of something: a named pipe, another program, standard input."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.errors import SourceLost
from agent.types import Frame

if TYPE_CHECKING:
    from agent.types import Array

Fourcc = Literal["MJPG", "BGR3", "RGB3", "GREY", "YU12", "NV12", "YUYV"]


class Feed(Protocol):
    """Where the bytes come from."""

    def wait(self, deadline: float) -> bool:
        """Wait until there is something to read, or the end; False when neither in time."""

    def read(self) -> bytes:
        """Give what is there, 64 KiB at most. SourceLost: it has come to its end."""

    def read_into(self, view: memoryview) -> int:
        """Read into ``view``, and give how many bytes that were. SourceLost: it has come to its end."""

    def close(self) -> None:
        """Close it. Idempotent."""


class Unpack(Protocol):
    """Collects the bytes of one frame after the other."""

    def fill(self, feed: Feed) -> None:
        """Take what the pipe has."""

    def whole(self) -> bool:
        """Whether a frame is there. ValueError: there will be none."""

    def decode(self, path: str, seq: int) -> Array:
        """Give the frame that is there: uint8 (height, width, 3), BGR."""

    @property
    def begun(self) -> bool:
        """Whether a frame has begun that is not whole."""


class RawOptions(BaseModel):
    """What flows, and of which size."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    format: Fourcc = "MJPG"
    """What is written: JPEGs, or raw frames without anything between them."""
    width: int | None = Field(default=None, ge=2, le=16384)
    """Width of a raw frame, pixels; even for `YU12`, `NV12` and `YUYV`."""
    height: int | None = Field(default=None, ge=2, le=16384)
    """Height of a raw frame, pixels; even for `YU12` and `NV12`."""

    @model_validator(mode="after")
    def _size_fits(self) -> RawOptions:
        if self.format == "MJPG":
            if self.width is not None or self.height is not None:
                raise ValueError("each JPEG states its own size: leave width and height out")
            return self
        if self.width is None or self.height is None:
            raise ValueError(f"raw frames ({self.format}) need width and height")
        if self.format in {"YU12", "NV12", "YUYV"} and self.width % 2:
            raise ValueError(f"{self.format} needs an even width")
        if self.format in {"YU12", "NV12"} and self.height % 2:
            raise ValueError(f"{self.format} needs an even height")
        if self.width * self.height > 1 << 25:
            raise ValueError("a frame has at most 32 million pixels")
        return self


class FlowSource:
    """Implements ``Source``. Raw frames share one buffer.

    Args:
        feed: gives the bytes; closed with this.
        unpack: makes frames of them.
        start: the first frame's number.
        silence_s: how long it may be without a whole frame.
        names: of the operation and of the subject, for errors.
        hints: what to do when it is silent, and when what comes is no frame.
    """

    def __init__(
        self,
        feed: Feed,
        unpack: Unpack,
        start: int,
        silence_s: float,
        *,
        names: tuple[str, str],
        hints: tuple[str, str],
    ) -> None:
        self._feed = feed
        self._unpack = unpack
        self._next = start
        self._silence_s = silence_s
        self._names = names
        self._hints = hints
        self._heard = time.monotonic()

    @property
    def live(self) -> bool:
        """True: who writes may be a camera."""
        return True

    def read(self, timeout_s: float) -> Frame | None:
        """Give the next frame: uint8 (height, width, 3), BGR, dated when its last byte had come.

        Raises:
            SourceLost: the writer has gone, or has been silent for too long, or writes something else.
            InputRejected: this JPEG is damaged; its sequence number is used up.
        """
        deadline = time.monotonic() + timeout_s
        late = False  # asked for itself, as there may be something to read all the time
        while not self._whole():
            if late or not self._feed.wait(deadline):
                self._watch()
                return None
            self._unpack.fill(self._feed)
            late = time.monotonic() >= deadline
        now_ns = time.monotonic_ns()
        self._heard = time.monotonic()
        seq, self._next = self._next, self._next + 1
        return Frame(seq, now_ns, self._unpack.decode(self._names[1], seq))

    @property
    def count(self) -> int:
        """How many frames it has given, from number 0 on."""
        return self._next

    @property
    def begun(self) -> bool:
        """Whether a frame has begun that is not whole."""
        return self._unpack.begun

    def begin(self) -> None:
        """Wait for the first bytes, so that what does not start is told at once.

        Raises:
            SourceLost: it has ended, or has been silent for too long; it is closed.
        """
        try:
            if self._feed.wait(self._heard + self._silence_s):
                self._unpack.fill(self._feed)
            else:
                self._watch()
        except SourceLost:
            self.close()
            raise

    def close(self) -> None:
        """Close what it comes from."""
        self._feed.close()

    def _whole(self) -> bool:
        try:
            return self._unpack.whole()
        except ValueError as error:
            raise SourceLost(*self._names, str(error), self._hints[1]) from None

    def _watch(self) -> None:
        silent = time.monotonic() - self._heard
        if silent > self._silence_s:
            raise SourceLost(*self._names, f"no frame for {silent:.1f} s", self._hints[0])
