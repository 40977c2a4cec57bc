"""The thread that owns OpenCV's capture of a stream.

Nothing else touches the capture: one that is released during a read ends the process. The thread reads as
fast as the stream comes, so that no picture gets old in a queue, and keeps the newest one.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2

from agent.sources._quiet import quiet
from agent.sources.pictures.decoding import MAX_FRAME_PIXELS

if TYPE_CHECKING:
    from agent.types import Array

OPEN_S = 4.0
"""For FFmpeg's own connection, and for what it must see of the stream before it can decode."""
FIRST_S = OPEN_S + 2.0
"""For the first picture: a stream that is open then, but waits for its next key frame, may go on to do so."""
LEAVE_S = 1.0
"""How long a source waits for its reader when it is closed."""
PAST_S = 2.0
"""For how long after opening what comes without a wait is taken for the past, which was sent before."""
_OPTIONS = "fflags;nobuffer|fpsprobesize;0|allowed_media_types;video|rtsp_transport;"
"""Of FFmpeg: begin with the newest frame, wait for no frame rate, leave the sound at the camera."""
TCP_ONLY = cv2.__version__.startswith("4.11.")
"""The wheel of this version ignores FFmpeg's options: https://github.com/opencv/opencv/issues/27091."""
_VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
_TIMED_OUT = 0.95
"""Share of the time-out after which a grab ran into it: its frame is an old one that the decoder had kept."""

_opening = threading.Lock()
"""Held while a stream is opened: FFmpeg's options stand in the environment, which all threads share."""
_left: dict[str, Reader] = {}
"""Readers that were still within a call of OpenCV when their sources were closed, by what they read."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One frame.

    Attributes:
        image: uint8 (height, width, 3), BGR.
        captured_ns: when it had been decoded; CLOCK_MONOTONIC.
    """

    image: Array
    captured_ns: int


@dataclass(frozen=True, slots=True)
class End:
    """Why a reader has ended: the problem, and what to do if it is clear; both "" for silence or a stop."""

    problem: str = ""
    hint: str = ""


class Reader(threading.Thread):
    """Reads a stream until it ends or ``leave`` is called.

    Args:
        url: what FFmpeg opens, with name and password.
        transport: tcp or udp.
        silence_s: how long a read may take, and the stream be without a picture.

    Attributes:
        heard: when the newest picture came, or the stream was opened; CLOCK_MONOTONIC, seconds.
        opened: whether the stream is open.
        end: why it is over; None while it is not.
    """

    def __init__(self, url: str, transport: str, silence_s: float) -> None:
        super().__init__(name="rtsp", daemon=True)
        self.url = url
        self._transport = transport
        self._silence_s = silence_s
        self._changed = threading.Condition()
        self._stopped = False
        self._newest: Picture | None = None
        self._given: Array | None = None
        self._spare: list[Array] = []
        self.heard = time.monotonic()
        self.opened = False
        self.end: End | None = None

    def until_picture(self, deadline: float) -> None:
        """Wait until there is a picture, or it is over, but no longer than so long."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest or self.end, deadline - time.monotonic())

    def take(self, deadline: float) -> Picture | None:
        """Give the newest picture, once, valid until the next is taken; None when none came in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest or self.end, deadline - time.monotonic())
            newest, self._newest = self._newest, None
            if newest is not None:
                if self._given is not None:
                    self._spare.append(self._given)
                self._given = newest.image
            return newest

    def leave(self, wait_s: float) -> bool:
        """Have it end, and wait for it so long; False when a call of OpenCV still holds it."""
        self._stopped = True
        self.join(wait_s)
        return not self.is_alive()

    def run(self) -> None:
        """Read; only this thread touches the capture."""
        end = End()
        try:
            end = self._open_and_read()
        except cv2.error as error:
            end = End(f"OpenCV gives up: {error.err}")
        finally:
            with self._changed:
                self.end = end
                self._changed.notify_all()

    def _open_and_read(self) -> End:
        limits = {
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC: int(OPEN_S * 1000),
            cv2.CAP_PROP_READ_TIMEOUT_MSEC: int(self._silence_s * 1000),
            cv2.CAP_PROP_N_THREADS: 1,  # each more would keep a frame back
        }
        with _opening:
            # Emptied, not removed: while one is only replaced, other threads may look theirs up.
            os.environ[_VARIABLE] = _OPTIONS + self._transport
            capture = cv2.VideoCapture(self.url, cv2.CAP_FFMPEG, [n for pair in limits.items() for n in pair])
            os.environ[_VARIABLE] = ""
        try:
            if not capture.isOpened():
                return End("it describes its stream, but does not start it")
            self.opened, self.heard = True, time.monotonic()
            return self._read(capture)
        finally:
            capture.release()

    def _read(self, capture: cv2.VideoCapture) -> End:
        waiting_s, past_until = _half_interval_s(capture), time.monotonic() + PAST_S
        while not self._stopped:
            began = time.monotonic()
            grabbed = capture.grab()
            captured_ns = time.monotonic_ns()
            took_s = captured_ns / 1e9 - began
            if took_s >= self._silence_s * _TIMED_OUT:
                return End()
            if not grabbed:
                return End("the stream ended")
            if began < past_until and took_s < waiting_s:
                continue
            past_until = 0.0
            width, height = (
                int(capture.get(p)) for p in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
            )
            if width * height > MAX_FRAME_PIXELS:
                return End(f"{width} x {height} pixels are too many", "Set the camera to a smaller size")
            with self._changed:
                spare = self._spare.pop() if self._spare else None
            decoded, image = capture.retrieve(spare)
            if not decoded:
                return End("its pictures are in a format that OpenCV cannot convert")
            self._publish(Picture(image, captured_ns))
        return End()

    def _publish(self, picture: Picture) -> None:
        with self._changed:
            if self._newest is not None:
                self._spare.append(self._newest.image)
            self._newest = picture
            self.heard = picture.captured_ns / 1e9
            self._changed.notify_all()


def _half_interval_s(capture: cv2.VideoCapture) -> float:
    fps = capture.get(cv2.CAP_PROP_FPS)
    return 0.5 / fps if 1 <= fps <= 120 else 0.02


def start(url: str, transport: str, silence_s: float) -> Reader:
    """Start a reader, after the end of the one before it.

    One that a call of OpenCV never gives back is waited for without a limit: the deadline of opening then
    ends the process, which is all that can be done about it.
    """
    quiet()
    if before := _left.pop(url, None):
        before.join()
    reader = Reader(url, transport, silence_s)
    reader.start()
    return reader


def finish(reader: Reader) -> None:
    """End a reader; one that does not end at once is left to do so when its call returns."""
    if not reader.leave(LEAVE_S):
        _left[reader.url] = reader
