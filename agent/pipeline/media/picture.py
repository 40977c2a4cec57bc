"""Frames as JPEGs of a bounded size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from agent.types import Array


def is_picture(pixels: Array) -> bool:
    """Whether an array is a picture: uint8, (height, width), or (height, width, 1 or 3), BGR."""
    if pixels.dtype != np.uint8 or pixels.size == 0:
        return False
    return pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in {1, 3})


def fitted(pixels: Array, most: int) -> Array:
    """Give a picture whose longer side has ``most`` pixels, or the picture itself if it has no more.

    To half and less, pixels are averaged over their area, so nothing flickers; above, four neighbours are
    weighed, which is far faster there.
    """
    height, width = pixels.shape[:2]
    longer = max(height, width)
    if longer <= most:
        return pixels
    size = max(1, width * most // longer), max(1, height * most // longer)
    how = cv2.INTER_AREA if longer >= 2 * most else cv2.INTER_LINEAR
    return cv2.resize(pixels, size, interpolation=how)


def as_jpeg(pixels: Array, quality: int) -> bytes:
    """Encode a picture as baseline JPEG (ITU-T T.81), with 10 to 95 for ``quality``."""
    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return encoded.tobytes()
