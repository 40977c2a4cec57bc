"""Places in the picture that filters know by name: polygons and lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.config.base import Name
from agent.pictures import CROSSED, Point, crosses_itself, has_area

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.types import Array


class Zone(BaseModel):
    """A part of the picture."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = Field(description="what items and events call it")
    points: tuple[Point, ...] = Field(
        min_length=3,
        max_length=64,
        description="the corners of a polygon, each x and y as shares of the frame",
    )

    @model_validator(mode="after")
    def _has_an_area(self) -> Zone:
        if not has_area(self.points):
            raise ValueError("it has no area: its points lie on one line")
        if crosses_itself(self.points):
            raise ValueError(CROSSED)
        return self


class Line(BaseModel):
    """A line that is crossed; seen along it, from its first point to its second, left is outside."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name = Field(description="what events call it")
    points: tuple[Point, Point] = Field(
        description="its ends, each x and y as shares of the frame; who crosses it from left to right goes in"
    )

    @model_validator(mode="after")
    def _has_a_length(self) -> Line:
        if self.points[0] == self.points[1]:
            raise ValueError("it has no length: its points are one")
        return self


def unique(places: Sequence[Zone | Line]) -> None:
    """Check that no two have one name.

    Raises:
        ValueError: two have.
    """
    names = [place.name for place in places]
    if len(set(names)) < len(names):
        raise ValueError("two of them have one name")


def inside(points: Array, corners: Array) -> Array:
    """Say of each point whether it is in the polygon, by the even-odd rule: bool (N,).

    Points are (N, 2) and corners (M, 2), x and y.

    The rule is that of a ray to the right that crosses an odd number of sides (M. Shimrat, 1962).
    """
    x, y = points[:, :1], points[:, 1:]
    (x1, y1), (x2, y2) = corners.T, np.roll(corners, -1, axis=0).T
    spans = (y1 > y) != (y2 > y)
    rise = np.where(y2 == y1, 1.0, y2 - y1)
    crossed = spans & (x < x1 + (y - y1) / rise * (x2 - x1))
    odd: Array = crossed.sum(axis=1) % 2 == 1
    return odd
