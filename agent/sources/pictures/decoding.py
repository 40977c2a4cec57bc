"""Decodes one picture that came from a camera, within bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import InputRejected
from agent.sources.pictures.header import dimensions
from agent.sources.pictures.picture import parse_picture

if TYPE_CHECKING:
    from agent.types import Array

MAX_FRAME_PIXELS = 33_554_432
"""The most pixels that a camera's picture may have: 32 million take 100 MB."""
_JPEG_BEGINS = b"\xff\xd8"
_HINT = "If it repeats, look at the camera's settings and at the network"


def decode_jpeg(camera: str, seq: int, data: bytes) -> Array:
    """Decode a JPEG: uint8 (height, width, 3), BGR.

    Raises:
        InputRejected: it is none, or damaged, or too large.
    """
    name = f"{camera} frame {seq}"
    size = dimensions(data) if data.startswith(_JPEG_BEGINS) else None
    if size is None:
        raise InputRejected("decode frame", name, "it is no JPEG", _HINT)
    if size[0] * size[1] > MAX_FRAME_PIXELS:
        problem = f"{size[0]} x {size[1]} pixels are too many"
        raise InputRejected("decode frame", name, problem, "Set the camera to a smaller size")
    return parse_picture(name, data)
