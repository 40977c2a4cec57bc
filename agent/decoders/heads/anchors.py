"""Anchors: the boxes that a model was trained to correct, made by the rules of three families.

Each is a row (centre y, centre x, height, width) in shares of the picture, float32. They stand in the order
of the model's rows: the finest grid first, in a grid row by row, and all those of a cell together.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.decoders.heads.boxes import cells

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.decoders.heads.boxes import Size
    from agent.types import Array

Ratio = Annotated[float, Field(gt=0, le=100)]
Length = Annotated[float, Field(gt=0, le=10_000)]
Pair = tuple[Length, Length]
Side = Annotated[int, Field(ge=1, le=1024)]

LEVELS = (8, 16, 32, 64, 128)
"""The strides of EfficientDet's levels 3 to 7."""
PER_CELL = 9
"""EfficientDet's anchors of a cell: three octaves by three ratios."""
_OCTAVES = (1.0, 2 ** (1 / 3), 2 ** (2 / 3))
_RATIOS = (1.0, 2.0, 0.5)
_YOLO = (
    ((10.0, 13.0), (16.0, 30.0), (33.0, 23.0)),
    ((30.0, 61.0), (62.0, 45.0), (59.0, 119.0)),
    ((116.0, 90.0), (156.0, 198.0), (373.0, 326.0)),
)


class Anchors(BaseModel):
    """How a model's anchors are made. The defaults are those of SSD MobileNet, EfficientDet-D and YOLOv5."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    strides: tuple[Side, ...] = Field(
        default=(16, 32, 64, 128, 256, 512),
        min_length=1,
        max_length=12,
        description="ssd_raw: pixels of the input from cell to cell, grid by grid; equal ones share a grid",
    )
    feature_maps: tuple[tuple[Side, Side], ...] = Field(
        default=(),
        max_length=12,
        description="ssd_raw: rows and columns, grid by grid, where the strides do not give them",
    )
    min_scale: float = Field(default=0.2, gt=0, le=2, description="ssd_raw: size in the first grid, a share")
    max_scale: float = Field(default=0.95, gt=0, le=2, description="ssd_raw: size in the last grid, a share")
    aspect_ratios: tuple[Ratio, ...] = Field(
        default=(1.0, 2.0, 0.5, 3.0, 0.3333),
        min_length=1,
        max_length=16,
        description="ssd_raw: width over height of a cell's anchors",
    )
    interpolated_ratio: float = Field(
        default=1.0,
        ge=0,
        le=100,
        description="ssd_raw: one more anchor, of a size between this grid's and the next; 0: none",
    )
    reduce_lowest: bool = Field(default=True, description="ssd_raw: the first grid has three anchors a cell")
    fixed_size: bool = Field(
        default=False, description="ssd_raw: each is as large as the picture, as in BlazeFace"
    )
    scale: float = Field(
        default=4.0,
        gt=0,
        le=64,
        description="efficientdet: size in cells; EfficientDet-Lite0 and Lite1 have 3",
    )
    sizes: tuple[tuple[Pair, Pair, Pair], tuple[Pair, Pair, Pair], tuple[Pair, Pair, Pair]] = Field(
        default=_YOLO, description="yolov5: width and height in pixels, three a grid, the finest grid first"
    )

    @model_validator(mode="after")
    def _as_many_maps(self) -> Anchors:
        if self.feature_maps and len(self.feature_maps) != len(self.strides):
            raise ValueError(f"{len(self.feature_maps)} feature_maps for {len(self.strides)} strides")
        return self


def count_ssd(anchors: Anchors, size: Size) -> int:
    """Give how many anchors ``ssd`` makes."""
    return sum(rows * columns * len(sizes) for (rows, columns), sizes in _grids(anchors, size))


def ssd(anchors: Anchors, size: Size) -> Array:
    """Make the anchors of SSD with MobileNet, or of BlazeFace: (N, 4).

    The rules are those of TensorFlow's ``multiple_grid_anchor_generator`` ("SSD: Single Shot MultiBox
    Detector", Liu et al., 2016) and of MediaPipe's ``SsdAnchorsCalculator``, which puts the anchors of equal
    strides into one grid.
    """
    return np.concatenate([_tiled(grid, sizes) for grid, sizes in _grids(anchors, size)])


def count_efficientdet(size: Size) -> int:
    """Give how many anchors ``efficientdet`` makes."""
    return sum(rows * columns * PER_CELL for rows, columns in cells(size, LEVELS))


def efficientdet(scale: float, size: Size) -> Array:
    """Make the anchors of EfficientDet ("EfficientDet", Tan et al., 2020), octaves before ratios: (N, 4)."""
    grids = []
    for rows, columns in cells(size, LEVELS):
        sizes = [
            (scale * octave / math.sqrt(ratio) / rows, scale * octave * math.sqrt(ratio) / columns)
            for octave in _OCTAVES
            for ratio in _RATIOS
        ]
        grids.append(_tiled((rows, columns), sizes))
    return np.concatenate(grids)


def _grids(anchors: Anchors, size: Size) -> list[tuple[Size, list[tuple[float, float]]]]:
    """Give each grid's rows and columns, and the heights and widths of the anchors of a cell."""
    strides = anchors.strides
    maps = anchors.feature_maps or cells(size, strides)
    grids: list[tuple[Size, list[tuple[float, float]]]] = []
    for at, stride in enumerate(strides):
        sizes = [
            (1.0, 1.0) if anchors.fixed_size else (scale / math.sqrt(ratio), scale * math.sqrt(ratio))
            for scale, ratio in _shapes(anchors, at)
        ]
        if at and strides[at - 1] == stride:
            grids[-1][1].extend(sizes)
        else:
            grids.append((maps[at], sizes))
    return grids


def _shapes(anchors: Anchors, at: int) -> list[tuple[float, float]]:
    """Give scale and ratio of the anchors of one stride."""
    scale = _scale(anchors, at)
    if at == 0 and anchors.reduce_lowest:
        return [(0.1, 1.0), (scale, 2.0), (scale, 0.5)]
    shapes = [(scale, ratio) for ratio in anchors.aspect_ratios]
    if anchors.interpolated_ratio:
        following = 1.0 if at == len(anchors.strides) - 1 else _scale(anchors, at + 1)
        shapes.append((math.sqrt(scale * following), anchors.interpolated_ratio))
    return shapes


def _scale(anchors: Anchors, at: int) -> float:
    steps = len(anchors.strides) - 1
    if not steps:
        return (anchors.min_scale + anchors.max_scale) / 2
    return anchors.min_scale + (anchors.max_scale - anchors.min_scale) * at / steps


def _tiled(grid: Size, sizes: Sequence[tuple[float, float]]) -> Array:
    """Put anchors of these heights and widths into the middle of each cell: (rows * columns * sizes, 4)."""
    rows, columns = grid
    tiles = np.empty((rows, columns, len(sizes), 4), np.float32)
    tiles[..., 0] = ((np.arange(rows) + 0.5) / rows)[:, np.newaxis, np.newaxis]
    tiles[..., 1] = ((np.arange(columns) + 0.5) / columns)[:, np.newaxis]
    tiles[..., 2:] = sizes
    return tiles.reshape(-1, 4)
