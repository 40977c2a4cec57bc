"""Hides regions of pictures, before anything else sees them.

The picture is copied into a buffer of our own, and only that one goes on: the source's may be shared or read
only. Filling is part of the copy and comes first: what is filled takes no part in other regions' means.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from agent.errors import InputRejected

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.pictures import Region
    from agent.types import Array, Frame

_CELLS = 8
"""Mean colours along the longer side of a region that is blurred or pixelated."""
_CELL_PIXELS = 4
"""A small region has fewer cells, so that none is smaller than this."""
_FRACTION = 4
"""Bits of a pixel that corners are rounded to."""
_LAYERS = {(), (1,), (3,), (4,)}


@dataclass(frozen=True, slots=True)
class _Patch:
    """A region whose means stay: where it lies, which pixels there are its own, and how they are drawn."""

    box: tuple[slice, slice]
    inside: Array
    cells: tuple[int, int]
    interpolation: int


@dataclass(frozen=True, slots=True)
class _Stencil:
    """What hides the regions of frames of one shape."""

    keep: Array
    patches: tuple[_Patch, ...]
    out: Array


class Privacy:
    """Hides regions; its stencils are made once for each shape of frames. One thread at a time may use it.

    Args:
        regions: what to hide.
    """

    def __init__(self, regions: Sequence[Region]) -> None:
        self._regions = tuple(regions)
        self._stencil: _Stencil | None = None

    def __call__(self, frame: Frame) -> Frame:
        """Give the frame with its regions hidden: in a buffer of ours, valid until the next call.

        Raises:
            InputRejected: it is no picture, so that nothing can be hidden in it.
        """
        data = picture(frame, "hide regions", "privacy")
        if self._stencil is None or self._stencil.out.shape != data.shape:
            self._stencil = _stencil(self._regions, data.shape)
        stencil = self._stencil
        np.bitwise_and(data, stencil.keep, out=stencil.out)
        for patch in stencil.patches:
            _cover(stencil.out[patch.box], patch)
        return replace(frame, data=stencil.out)


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


def hidden(regions: Sequence[Region], height: int, width: int) -> Array:
    """Give which pixels of a picture of this size the regions touch: bool (height, width)."""
    mask = np.zeros((height, width), np.uint8)
    for region in regions:
        _draw(region, mask)
    return mask > 0


def _stencil(regions: Sequence[Region], shape: tuple[int, ...]) -> _Stencil:
    height, width = shape[:2]
    filled = hidden([one for one in regions if one.how == "fill"], height, width)
    keep = np.empty(shape, np.uint8)
    keep[...] = np.where(filled, 0, 255).reshape(height, width, *[1] * (len(shape) - 2))
    patches = [_patch(one, height, width) for one in regions if one.how != "fill"]
    return _Stencil(keep, tuple(patches), np.empty(shape, np.uint8))


def _patch(region: Region, height: int, width: int) -> _Patch:
    mask = hidden([region], height, width)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    tall, wide = mask[box].shape
    size = max(_CELL_PIXELS, math.ceil(max(tall, wide) / _CELLS))
    cells = max(1, wide // size), max(1, tall // size)
    smooth = cv2.INTER_LINEAR if region.how == "blur" else cv2.INTER_NEAREST
    return _Patch(box, mask[box].astype(np.uint8), cells, smooth)


def _cover(pixels: Array, patch: _Patch) -> None:
    """Draw a region's own pixels anew, from its means alone."""
    means = cv2.resize(pixels, patch.cells, interpolation=cv2.INTER_AREA)
    drawn = cv2.resize(means, pixels.shape[1::-1], interpolation=patch.interpolation)
    flat = pixels if pixels.shape[2:] != (1,) else pixels[:, :, 0]
    cv2.copyTo(drawn, patch.inside, flat)


def _draw(region: Region, mask: Array) -> None:
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
