"""A camera: V4L2 through OpenCV, read without ever waiting longer than asked."""

from __future__ import annotations

import math
import select
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.errors import InputRejected, SourceLost
from agent.sources.v4l2.devices import cameras, holder, refusal_hint, video_nodes
from agent.sources.v4l2.naming import matching
from agent.types import Found, Frame, Needs

if TYPE_CHECKING:
    from agent.sources.v4l2.stream import Stream

_PAUSE_S = 0.01
"""After a grab that gave nothing though the device was ready: a driver in two minds must not spin us."""


class Options(BaseModel):
    """What a camera can be told."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    device: str = Field(default="", max_length=4096)
    """`/dev/video0`, a name in `/dev/v4l/by-id` or `/dev/v4l/by-path`, `usb:046d:0825` or
    `usb:046d:0825:SERIAL`, or what its maker calls it; empty: the only camera."""
    width: int | None = Field(default=None, ge=16, le=16384)
    """Width of a frame, pixels; with `height`. Without them what the camera likes, near 640x480."""
    height: int | None = Field(default=None, ge=16, le=16384)
    """Height of a frame, pixels; with `width`."""
    fps: int | None = Field(default=None, ge=1, le=1000)
    """Frames a second that are asked for; the camera gives what comes nearest."""
    format: Literal[
        "auto", "YUYV", "UYVY", "NV12", "NV21", "YU12", "YV12", "BGR3", "RGB3", "MJPG", "JPEG", "GREY"
    ] = "auto"
    """Pixel format, as a four-character code; `auto` takes the first of these that is fast enough."""
    controls: dict[Annotated[str, Field(max_length=64)], int | Annotated[str, Field(max_length=64)]] = Field(
        default={}, max_length=64
    )
    """What is set once it runs, such as `{ auto_exposure = "Manual Mode", exposure_time_absolute = 100 }`: by
    the names that `v4l2-ctl --list-ctrls` shows; switches and menus first."""
    silence_s: float = Field(default=5.0, ge=0.5, le=3600)
    """Seconds without a frame after which the camera counts as lost, and is opened again."""

    @model_validator(mode="after")
    def _size_is_whole(self) -> Options:
        if (self.width is None) != (self.height is None):
            raise ValueError("width and height go together")
        return self

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height, when they are asked for."""
        return (self.width, self.height) if self.width is not None and self.height is not None else None


class CameraSource:
    """Implements ``Source``. Its frames share one buffer while their size stays the same."""

    def __init__(self, stream: Stream, start: int, silence_s: float) -> None:
        self._stream = stream
        self._next = start
        self._silence_s = silence_s
        self._heard = time.monotonic()
        self._settled = False
        self._poll = select.poll()
        self._poll.register(stream.fd, select.POLLIN)

    @property
    def live(self) -> bool:
        """True: what is not read in time is gone."""
        return True

    def read(self, timeout_s: float) -> Frame | None:
        """Give the next frame: uint8 (height, width, 3), BGR, dated by the driver where it can be.

        Raises:
            SourceLost: it was unplugged, its driver fails, or it has been silent for too long.
            InputRejected: this frame is damaged; its sequence number is used up.
        """
        deadline = time.monotonic() + timeout_s
        while self._ready(deadline - time.monotonic()):
            if self._grab():
                return self._frame()
            if time.monotonic() >= deadline:  # readable all the same: poll would not wait any more
                break
        self._watch()
        return None

    def close(self) -> None:
        """Free the device."""
        self._stream.close()

    def _ready(self, timeout_s: float) -> bool:
        """Wait until the driver has a frame; False when it has none in time."""
        events = self._poll.poll(math.ceil(max(0.0, timeout_s) * 1000))
        if any(event & ~select.POLLIN for _, event in events):
            raise self._stream.lost()
        return bool(events)

    def _grab(self) -> bool:
        """Take a frame from the driver; False when there is none, or it was the first.

        The first frame of a stream is often incomplete, so it is no frame yet.
        """
        if not self._stream.grab():
            if self._stream.is_gone():
                raise self._stream.lost()
            self._watch()
            time.sleep(_PAUSE_S)
            return False
        self._heard = time.monotonic()
        fresh, self._settled = self._settled, True
        return fresh

    def _frame(self) -> Frame:
        seq, self._next = self._next, self._next + 1
        image = self._stream.decode()
        if image is None:
            hint = "If it repeats, try another cable or port, or another format"
            raise InputRejected("decode frame", f"{self._stream.path} frame {seq}", "it is damaged", hint)
        return Frame(seq, self._stream.captured_ns(), image)

    def _watch(self) -> None:
        silent = time.monotonic() - self._heard
        if silent > self._silence_s:
            problem = f"no frame for {silent:.1f} s"
            hint = "Unplug it and plug it in again, or raise silence_s for a camera that is slower"
            raise SourceLost("read camera", self._stream.path, problem, hint)


def found(root: Path) -> list[Found]:
    """Give the cameras of this machine; those of another cannot be asked."""
    if root != Path("/"):
        return []
    return [
        Found(
            name=one.name,
            options={"device": one.best_id},
            about=(one.path, *_opened(one.path), *(str(form) for form in one.formats)),
            problem=one.problem,
            hint=refusal_hint(one),
        )
        for one in cameras()
    ]


def _opened(path: str) -> tuple[str, ...]:
    """Say who has it open: not all of them read it, so that it may be free nevertheless."""
    who = holder(path)
    return (f"{who} has it open",) if who else ()


def needs(options: Options) -> Needs:
    """Say what it opens: its device, or without a name every video node, to find the only camera."""
    return Needs(devices=tuple(matching(options.device) if options.device else video_nodes()))


def build(options: Options, *, start: int) -> CameraSource:
    """Open the camera and start it; its first frame is number ``start``.

    Raises:
        SourceLost: it is not there, held by another program, no camera, or does not do what is asked for.
    """
    from agent.sources.v4l2.stream import open_stream

    stream = open_stream(options.device, options.size, options.fps, options.format, options.controls)
    return CameraSource(stream, start, options.silence_s)
