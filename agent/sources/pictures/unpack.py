"""Makes frames of the bytes that come out of a pipe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from agent.sources.pictures.decoding import decode_jpeg
from agent.sources.pictures.jpegs import Jpegs

if TYPE_CHECKING:
    from agent.sources.pictures.flow import Feed, Unpack
    from agent.types import Array

_CONVERSIONS = {
    "RGB3": cv2.COLOR_RGB2BGR,
    "GREY": cv2.COLOR_GRAY2BGR,
    "YU12": cv2.COLOR_YUV2BGR_I420,
    "NV12": cv2.COLOR_YUV2BGR_NV12,
    "YUYV": cv2.COLOR_YUV2BGR_YUYV,
}
_CHANNELS = {"BGR3": 3, "RGB3": 3, "YUYV": 2}


class Pictures:
    """JPEGs; implements ``Unpack``."""

    def __init__(self) -> None:
        self._jpegs = Jpegs()
        self._picture: bytes | None = None

    def fill(self, feed: Feed) -> None:
        """Take what the pipe has."""
        self._jpegs.feed(feed.read())

    def whole(self) -> bool:
        """Whether a picture is there. ValueError: what comes is no JPEG, or too large."""
        self._picture = self._picture or self._jpegs.next()
        return self._picture is not None

    def decode(self, path: str, seq: int) -> Array:
        """Decode the picture that is there. InputRejected: it is damaged."""
        picture, self._picture = self._picture or b"", None
        return decode_jpeg(path, seq, picture)

    @property
    def begun(self) -> bool:
        """Whether a picture has begun that is not whole."""
        return self._jpegs.begun


class Raw:
    """Frames of one size; implements ``Unpack``. Both of its buffers are used again."""

    def __init__(self, fourcc: str, width: int, height: int) -> None:
        if fourcc in {"YU12", "NV12"}:  # the planes one below the other
            shape: tuple[int, ...] = (height * 3 // 2, width)
        else:
            shape = (height, width, _CHANNELS[fourcc]) if fourcc in _CHANNELS else (height, width)
        self._raw = np.empty(shape, np.uint8)
        self._view = self._raw.reshape(-1).data
        self._conversion = _CONVERSIONS.get(fourcc)
        self._image = np.empty((height, width, 3), np.uint8) if self._conversion is not None else self._raw
        self._filled = 0

    def fill(self, feed: Feed) -> None:
        """Take what the pipe has, up to the end of the frame."""
        self._filled += feed.read_into(self._view[self._filled :])

    def whole(self) -> bool:
        """Whether a frame is there."""
        return self._filled == len(self._view)

    def decode(self, path: str, seq: int) -> Array:  # noqa: ARG002 - raw frames cannot be damaged
        """Convert the frame that is there."""
        self._filled = 0
        if self._conversion is not None:
            cv2.cvtColor(self._raw, self._conversion, dst=self._image)
        return self._image

    @property
    def begun(self) -> bool:
        """Whether a frame has begun that is not whole."""
        return 0 < self._filled < len(self._view)


def unpacker(fourcc: str, width: int, height: int) -> Unpack:
    """Give what reads a format; the size is that of raw frames, pixels."""
    return Pictures() if fourcc == "MJPG" else Raw(fourcc, width, height)
