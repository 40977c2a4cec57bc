"""Which frames are pictures, and which pixels an area touches: for privacy, health and gates."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import cv2
import numpy as np

from agent.errors import InputRejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.pictures import Area
    from agent.types import Array, Frame

_FRACTION = 4
"""Bits of a pixel that corners are rounded to."""
_LAYERS = {(), (1,), (3,), (4,)}


def picture(frame: Frame, op: str, key: str) -> Array:
    """Give a frame's data, uint8 (height, width) or (height, width, 1, 3 or 4), when it is a picture.

    Raises:
        InputRejected: it is none; ``op`` says who wants one, and ``key`` of the configuration asks for that.
    """
    data = frame.data
    if data.dtype == np.uint8 and data.size and data.ndim in (2, 3) and data.shape[2:] in _LAYERS:
        return data
    problem = f"{data.dtype} {list(data.shape)} is no picture"
    raise InputRejected(op, frame.origin or "frame", problem, f"Remove {key} from the pipeline")


def hidden(regions: Sequence[Area], height: int, width: int) -> Array:
    """Give which pixels of a picture of this size the regions touch: bool (height, width)."""
    mask = np.zeros((height, width), np.uint8)
    for region in regions:
        _draw(region, mask)
    return mask > 0


def _draw(region: Area, mask: Array) -> None:
    """Set each pixel that the region touches, at least: corners are rounded outwards."""
    height, width = mask.shape
    x, y = (np.array(axis) for axis in zip(*region.points, strict=True))
    if region.shape == "box":
        left, right = math.floor(x.min() * width), math.ceil(x.max() * width)
        top, bottom = math.floor(y.min() * height), math.ceil(y.max() * height)
        mask[min(top, height - 1) : bottom, min(left, width - 1) : right] = 1
        return
    # A pixel's centre is at half its width; a line of three pixels misses none that the edge crosses.
    corners = np.stack([x * width - 0.5, y * height - 0.5], axis=1)
    points = np.rint(corners * (1 << _FRACTION)).astype(np.int32)
    cv2.fillPoly(mask, [points], 1, cv2.LINE_8, _FRACTION)
    cv2.polylines(mask, [points], isClosed=True, color=1, thickness=3, lineType=cv2.LINE_8, shift=_FRACTION)
