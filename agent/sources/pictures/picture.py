"""Reads one picture or array file whole, within bounds, or says in one line why not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from agent.errors import InputRejected
from agent.npy import parse_npy
from agent.sources._files import check_file, unreadable
from agent.sources.pictures.header import dimensions

if TYPE_CHECKING:
    from agent.types import Array

MAX_PIXELS = 100_000_000
"""The most pixels that a picture may have, and elements that an array may have times three."""
_MAX_BYTES = 3 * MAX_PIXELS + (1 << 20)
_OP = "read image"


def read_picture(path: str) -> Array:
    """Read the file at ``path``.

    Returns:
        A picture as uint8 (height, width, 3), BGR, turned upright as its EXIF data says. A ``.npy`` file
        that holds uint8 (height, width, 3) is an RGB picture; any other array comes back as it is.

    Raises:
        InputRejected: the file is missing, damaged, too large, or no picture.
    """
    size = check_file(_OP, path)
    if size > _MAX_BYTES:
        raise InputRejected(_OP, path, f"{size} bytes are too many", "Shrink it first")
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise unreadable(_OP, path, error) from error
    return parse_picture(path, data)


def parse_picture(path: str, data: bytes) -> Array:
    """Read ``data``, the bytes of the file at ``path``, as ``read_picture`` does.

    Raises:
        InputRejected: it is damaged, too large, or no picture.
    """
    return _array(path, data) if path.lower().endswith(".npy") else _picture(path, data)


def _picture(path: str, data: bytes) -> Array:
    size = dimensions(data)
    if size is None:
        hint = "Convert it to JPEG, PNG, BMP, WebP, PPM or .npy"
        raise InputRejected(_OP, path, "it is no picture of a kind that we read", hint)
    if size[0] * size[1] > MAX_PIXELS:
        problem = f"{size[0]} x {size[1]} pixels are more than {MAX_PIXELS // 1_000_000} megapixels"
        raise InputRejected(_OP, path, problem, "Shrink it first")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error as error:
        raise InputRejected(_OP, path, f"OpenCV refuses it: {error.err}", "Convert it to PNG") from error
    if image is None:
        raise InputRejected(_OP, path, "the picture is damaged or cut short", "Copy it again")
    return image


def _array(path: str, data: bytes) -> Array:
    try:
        array = parse_npy(data)
    except ValueError as error:
        raise InputRejected(_OP, path, str(error), "Save numbers with numpy.save") from error
    if array.dtype == np.uint8 and array.ndim == 3 and array.shape[2] == 3:
        return np.ascontiguousarray(array[..., ::-1])
    return array
