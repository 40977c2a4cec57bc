"""A video file, frame by frame: every frame once, or in the file's own time as if it were a camera."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from agent.errors import InputRejected, SourceEnded
from agent.sources._pace import Pace
from agent.types import Frame, Needs

if TYPE_CHECKING:
    import cv2

    from agent.types import Array


class Options(BaseModel):
    """What a video source can be told."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    path: str = Field(min_length=1)
    """The video file."""
    loop: bool = False
    """Begin again at the end; the sequence number goes on."""
    realtime: bool = False
    """Keep the file's frame rate and lose what is not read in time, as a camera would."""


class VideoSource:
    """Implements ``Source``. All its frames share one buffer.

    A start in mid-file is reached by grabbing, inside ``read``: seeking is not exact in every format, and
    a long way must not look like a hang.
    """

    def __init__(
        self, options: Options, capture: cv2.VideoCapture, rate: float, stated: int, start: int
    ) -> None:
        self._options = options
        self._capture = capture
        self._pace = Pace(1 / rate if options.realtime else 0.0)
        self._stated = stated
        self._seq = start
        self._skip = start
        self._grabbed = 0
        self._fresh = False
        self._image: Array | None = None
        self._ended = ""

    @property
    def live(self) -> bool:
        """True when it keeps the file's frame rate."""
        return self._options.realtime

    def read(self, timeout_s: float) -> Frame | None:
        """Decode the next frame: uint8 (height, width, 3), BGR.

        Raises:
            SourceEnded: the file is over; its text says so when the header had promised more frames.
            InputRejected: this frame cannot be decoded.
        """
        deadline = time.monotonic() + timeout_s
        if not self._skip_until(deadline) or not self._pace.wait(deadline - time.monotonic()):
            return None
        self._grab()
        self._fresh = False
        seq, self._seq = self._seq, self._seq + 1
        captured_ns = time.monotonic_ns()
        ok, image = self._capture.retrieve(self._image)
        if not ok or image is None:
            where = f"{self._options.path} frame {self._grabbed - 1}"
            raise InputRejected("decode frame", where, "its data is damaged", "Copy the file again")
        self._image = image
        return Frame(seq, captured_ns, image, self._options.path)

    def fill(self, buffer: Array | None) -> None:
        """Decode the next frame into this, where that is of its size."""
        self._image = buffer

    def close(self) -> None:
        """Close the file."""
        self._capture.release()

    def prime(self) -> bool:
        """Grab the first frame ahead of its read; False when the file has none."""
        self._fresh = self._capture.grab()
        self._grabbed = int(self._fresh)
        return self._fresh

    def _skip_until(self, deadline: float) -> bool:
        """Pass over the frames before the start; False when time ran out first."""
        while self._skip:
            self._grab()
            self._fresh = False
            self._skip -= 1
            if self._skip and time.monotonic() >= deadline:
                return False
        return True

    def _grab(self) -> None:
        """Have the next frame ready to be retrieved, from the beginning again when looping."""
        if self._ended:
            raise SourceEnded(self._ended)
        if self._fresh:
            return
        if not self._capture.grab():
            self._rewind_or_end()
        self._fresh = True
        self._grabbed += 1

    def _rewind_or_end(self) -> None:
        from agent.sources.pictures.video_file import open_capture

        if not self._options.loop:
            self._ended = self._farewell()
            raise SourceEnded(self._ended)
        if self._skip:
            self._skip = (self._skip - 1) % self._grabbed + 1
        self._capture.release()
        self._grabbed = 0
        try:
            self._capture = open_capture(self._options.path)
        except InputRejected as error:
            self._ended = str(error)
            raise SourceEnded(self._ended) from error
        if not self._capture.grab():
            self._ended = f"{self._options.path}: its frames are gone"
            raise SourceEnded(self._ended)

    def _farewell(self) -> str:
        missing = self._stated - self._grabbed
        if missing > max(2, self._stated // 50):
            return f"{self._options.path}: ends early, {self._grabbed} of {self._stated} frames"
        return f"{self._options.path}: {self._grabbed} frames"


def needs(options: Options) -> Needs:
    """Say what it reads: the file."""
    return Needs(read=(options.path,))


def build(options: Options, *, start: int) -> VideoSource:
    """Open the file; the first frame given is number ``start``.

    Raises:
        InputRejected: there is no such file, it is no video, or it has no frame.
    """
    from agent.sources.pictures.video_file import frame_rate, open_capture, stated_frames

    capture = open_capture(options.path)
    rate = frame_rate(capture, options.path) if options.realtime else 0.0
    source = VideoSource(options, capture, rate, stated_frames(capture), start)
    if not source.prime():
        source.close()
        raise InputRejected("open video", options.path, "no frame can be decoded", "Try to play it")
    return source
