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

from agent.imaging.rasters import hidden, picture

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.pictures import Region
    from agent.types import Array, Frame

_CELLS = 8
"""Mean colours along the longer side of a region that is blurred or pixelated."""
_CELL_PIXELS = 4
"""A small region has fewer cells, so that none is smaller than this."""


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
