"""A camera's stream in OpenCV, set up as asked for and never waited for."""

from __future__ import annotations

import math
import os
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from agent.errors import SourceLost
from agent.sources._quiet import quiet
from agent.sources.pictures.header import dimensions
from agent.sources.v4l2.controls import set_controls
from agent.sources.v4l2.devices import told
from agent.sources.v4l2.query import is_gone
from agent.sources.v4l2.reach import OP, best_format, reach, why_not

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.sources.v4l2.reach import Reached
    from agent.types import Array

BUFFERS, COMPRESSED_BUFFERS = 2, 3
"""One that the driver fills and one that we read: more would only make frames old. OpenCV gives the buffer of
a compressed frame back before it copies, so there a third one keeps the driver away from it."""
_COMPRESSED = {"MJPG", "JPEG"}
_JPEG_BEGINS = b"\xff\xd8"
_LARGER = 4
"""A compressed frame may have so many times the pixels that were agreed on: its header may be garbage."""
_OLD_NS = 2_000_000_000
"""A driver's date is believed when it is at most so far in the past, nanoseconds."""
_DEFAULT_SIZE = (640, 480)
"""What OpenCV asks for when it is told nothing."""


class Stream:
    """A capture that is open and runs.

    Attributes:
        path: the device.
        fd: its descriptor, which belongs to OpenCV; readable when a frame is there.
    """

    def __init__(self, path: str, capture: cv2.VideoCapture, fd: int) -> None:
        self.path = path
        self.fd = fd
        self._capture = capture
        self._compressed = _fourcc(capture) in _COMPRESSED
        self._pixels = math.prod(_size(capture))
        self._image: Array | None = None
        if self._compressed:
            # OpenCV would decode, too, but give the frame before again where one is damaged.
            capture.set(cv2.CAP_PROP_CONVERT_RGB, 0)

    def grab(self) -> bool:
        """Take the next frame from the driver; False at once when there is none."""
        try:
            return self._capture.grab()
        except cv2.error:  # an assertion on what the driver said
            return False

    def decode(self) -> Array | None:
        """Give the frame that was grabbed: uint8 (height, width, 3), BGR; None when it is damaged."""
        try:
            ok, picture = self._retrieve()
        except cv2.error:
            return None
        if not ok or picture is None or picture.ndim != 3 or picture.shape[2] != 3:
            return None
        self._image = picture
        return self._image

    def _retrieve(self) -> tuple[bool, Any]:
        if not self._compressed:
            return self._capture.retrieve(self._image)
        ok, data = self._capture.retrieve()
        if not ok or data is None:  # it may say that all is well, and give nothing
            return False, None
        return True, _decoded(data.tobytes(), _LARGER * self._pixels)

    def captured_ns(self) -> int:
        """CLOCK_MONOTONIC at which the driver got the frame, where it says so believably, else now."""
        now = time.monotonic_ns()
        dated = int(self._capture.get(cv2.CAP_PROP_POS_MSEC) * 1e6)
        return dated if now - _OLD_NS <= dated <= now else now

    def is_gone(self) -> bool:
        """Whether the camera was unplugged."""
        return is_gone(self.fd)

    def lost(self) -> SourceLost:
        """Say why the device fails."""
        if self.is_gone():
            return SourceLost("read camera", self.path, "it was unplugged", "Plug it in again")
        hint = "Try another USB port, a smaller size, or format MJPG; dmesg tells more"
        return SourceLost("read camera", self.path, "its driver reports an error", hint)

    def close(self) -> None:
        """Free the device. Idempotent."""
        self._capture.release()


def open_stream(
    device: str,
    size: tuple[int, int] | None,
    fps: int | None,
    fourcc: str,
    controls: Mapping[str, int | str] | None = None,
) -> Stream:
    """Open a camera, set it up and start it.

    Args:
        device: a path, a stable name, or "" for the only camera.
        size: width and height in pixels, when they matter.
        fps: frames a second to ask for.
        fourcc: the pixel format, or "auto".
        controls: what is set once it runs, by name.

    Raises:
        SourceLost: it cannot be had, or not so.
    """
    quiet()
    # 0: OpenCV's own wait for a frame, 10 s by default, returns at once; we wait on the descriptor.
    os.environ["OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT"] = "0"
    reached = reach(device)
    before = _descriptors(reached.path)
    capture = cv2.VideoCapture(reached.path, cv2.CAP_V4L2)
    try:
        if not capture.isOpened():
            raise why_not(reached)
        _set_up(capture, reached, size, fps, fourcc)
        stream = Stream(reached.path, capture, _descriptor(before, reached.path))
        stream.grab()  # starts it, and has no frame yet
        set_controls(stream.fd, stream.path, controls or {})
    except SourceLost:
        capture.release()
        raise
    return stream


def _set_up(
    capture: cv2.VideoCapture, reached: Reached, size: tuple[int, int] | None, fps: int | None, fourcc: str
) -> None:
    """Tell the camera what it shall give, and see that it obeys."""
    wanted = best_format(reached.formats, *(size or _DEFAULT_SIZE), fps) if fourcc == "auto" else fourcc
    capture.set(cv2.CAP_PROP_BUFFERSIZE, COMPRESSED_BUFFERS if wanted in _COMPRESSED else BUFFERS)
    if wanted:
        capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*wanted))
    if size is not None:
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, size[0])
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, size[1])
    if fps is not None:  # the last one: OpenCV would ask for another rate with each new size
        capture.set(cv2.CAP_PROP_FPS, fps)
    if not capture.isOpened():  # it closes what became busy meanwhile
        raise why_not(reached)
    given, code = _size(capture), _fourcc(capture)
    if size is not None and given != size:
        problem = f"it gives {given[0]}x{given[1]}, not {size[0]}x{size[1]}"
        raise SourceLost(OP, reached.path, problem, f"It can do: {told(reached.formats)}")
    if fourcc not in {"auto", code}:
        problem = f"it gives {code}, not {fourcc}"
        raise SourceLost(OP, reached.path, problem, f"It can do: {told(reached.formats)}")


def _size(capture: cv2.VideoCapture) -> tuple[int, int]:
    return int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)), int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT))


def _fourcc(capture: cv2.VideoCapture) -> str:
    return int(capture.get(cv2.CAP_PROP_FOURCC)).to_bytes(4, "little").decode(errors="replace")


def _decoded(data: bytes, most: int) -> Array | None:
    """Decode a JPEG of at most so many pixels; None when it is none, or cut short."""
    size = dimensions(data)
    if not data.startswith(_JPEG_BEGINS) or size is None:
        return None
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) if math.prod(size) <= most else None


def _descriptor(before: set[int], path: str) -> int:
    """Find the descriptor that OpenCV has opened for the device."""
    found = _descriptors(path) - before
    if found:
        return min(found)
    raise SourceLost(OP, path, "it went away while it was opened", "Plug it in again")


def _descriptors(path: str) -> set[int]:
    """Give this process's descriptors of the device."""
    numbers = [int(entry.name) for entry in Path("/proc/self/fd").iterdir()]
    device = _device(path)
    return {fd for fd in numbers if _device(fd) == device} if device else set()


def _device(file: str | int) -> int:
    """Give the number of the device that is there, or 0."""
    try:
        status = os.stat(file)  # noqa: PTH116 - it may be a descriptor
    except OSError:
        return 0
    return status.st_rdev if stat.S_ISCHR(status.st_mode) else 0
