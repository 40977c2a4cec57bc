"""Frames that another program writes into a named pipe: raw, or one JPEG after the other."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.errors import SourceLost
from agent.types import Frame, Needs

if TYPE_CHECKING:
    from agent.sources._fifo import Fifo
    from agent.sources.pictures.unpack import Unpack


class Options(BaseModel):
    """Which pipe is read, and what comes out of it."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    path: str = Field(min_length=1, max_length=4096)
    """The named pipe, as `mkfifo` makes it."""
    format: Literal["MJPG", "BGR3", "RGB3", "GREY", "YU12", "NV12", "YUYV"] = "MJPG"
    """What is written: JPEGs, or raw frames without anything between them."""
    width: int | None = Field(default=None, ge=2, le=16384)
    """Width of a raw frame, pixels; even for `YU12`, `NV12` and `YUYV`."""
    height: int | None = Field(default=None, ge=2, le=16384)
    """Height of a raw frame, pixels; even for `YU12` and `NV12`."""
    silence_s: float = Field(default=4.0, ge=0.5, le=3600)
    """Seconds without a whole frame after which the writer counts as lost, and the pipe is opened again."""

    @model_validator(mode="after")
    def _size_fits(self) -> Options:
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


class PipeSource:
    """Implements ``Source``. Raw frames share one buffer."""

    def __init__(self, fifo: Fifo, unpack: Unpack, options: Options, start: int) -> None:
        self._fifo = fifo
        self._unpack = unpack
        self._options = options
        self._next = start
        self._heard = time.monotonic()

    @property
    def live(self) -> bool:
        """True: the writer may be a camera."""
        return True

    def read(self, timeout_s: float) -> Frame | None:
        """Give the next frame: uint8 (height, width, 3), BGR, dated when its last byte had come.

        Raises:
            SourceLost: the writer has gone, or has been silent for too long, or writes something else.
            InputRejected: this JPEG is damaged; its sequence number is used up.
        """
        deadline = time.monotonic() + timeout_s
        while not self._whole():
            if not self._fifo.wait(deadline):
                self._watch()
                return None
            self._unpack.fill(self._fifo)
        now_ns = time.monotonic_ns()
        self._heard = time.monotonic()
        seq, self._next = self._next, self._next + 1
        return Frame(seq, now_ns, self._unpack.decode(self._options.path, seq))

    def close(self) -> None:
        """Close the pipe."""
        self._fifo.close()

    def _whole(self) -> bool:
        try:
            return self._unpack.whole()
        except ValueError as error:
            hint = "Check what is written into the pipe, and format"
            raise SourceLost("read pipe", self._options.path, str(error), hint) from None

    def _watch(self) -> None:
        silent = time.monotonic() - self._heard
        if silent > self._options.silence_s:
            hint = "Start the program that writes into it, or raise silence_s for one that is slower"
            raise SourceLost("read pipe", self._options.path, f"no frame for {silent:.1f} s", hint)


def needs(options: Options) -> Needs:
    """Say what it opens: the pipe, which may be made later."""
    return Needs(devices=(options.path,))


def build(options: Options, *, start: int) -> PipeSource:
    """Open the pipe, whether or not somebody writes already; the first frame given is number ``start``.

    Raises:
        SourceLost: there is no such pipe; it may be made later.
    """
    from agent.sources._fifo import Fifo
    from agent.sources._quiet import quiet
    from agent.sources.pictures.unpack import unpacker

    quiet()
    unpack = unpacker(options.format, options.width or 0, options.height or 0)
    return PipeSource(Fifo(options.path), unpack, options, start)
