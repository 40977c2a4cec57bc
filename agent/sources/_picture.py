"""Reads one picture or array file whole, within bounds, or says in one line why not."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from agent.errors import InputRejected
from agent.sources._files import check_file, unreadable
from agent.sources._header import dimensions

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
    return _array(path) if path.lower().endswith(".npy") else _picture(path)


def _picture(path: str) -> Array:
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise unreadable(_OP, path, error) from error
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


def _array(path: str) -> Array:
    """Read a ``.npy`` file; mapping it first checks its header against its length before memory is taken."""
    try:
        mapped: Array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise InputRejected(_OP, path, f"it is no .npy array: {error}", "Save it with numpy.save") from error
    if mapped.dtype.kind not in "biuf":
        problem = f"its elements are {mapped.dtype}, not numbers"
        raise InputRejected(_OP, path, problem, "Save it as integers or floats")
    if mapped.dtype == np.uint8 and mapped.ndim == 3 and mapped.shape[2] == 3:
        return np.ascontiguousarray(mapped[..., ::-1])
    return np.array(mapped, mapped.dtype.newbyteorder("="), order="C")
