"""What a pipeline is told of its pictures: regions that stay private, faults of a camera to look for."""

from __future__ import annotations

import math
from itertools import combinations
from typing import Annotated, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

Fault = Literal["frozen", "black", "overexposed", "blurred", "blocked", "moved"]
"""What can be wrong with a camera that gives frames."""
FAULTS: tuple[Fault, ...] = get_args(Fault)

Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Point = tuple[Share, Share]
"""x and y, as shares of the frame's width and height."""

CROSSED = "its sides cross each other: name its corners one after the other, once around it"

_LEAST_AREA = 1e-9
"""A share of the frame, far below a pixel of any: what rounding makes of points on one line."""


class _Table(BaseModel):
    """Frozen, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Area(_Table):
    """A part of a frame."""

    shape: Literal["box", "polygon"] = "box"
    """`box` has two opposite corners, `polygon` three points or more."""
    points: tuple[Point, ...] = Field(min_length=2, max_length=64)
    """Points, each x and y as shares of the frame's width and height, from its top left corner."""

    @model_validator(mode="after")
    def _has_an_area(self) -> Area:
        if self.shape == "polygon" and len(self.points) < 3:
            raise ValueError("a polygon has three points or more")
        if self.shape == "box" and len(self.points) != 2:
            raise ValueError("a box has two points: opposite corners")
        if not has_area(self.points):
            raise ValueError("it has no area: its points lie on one line")
        if self.shape == "polygon" and crosses_itself(self.points):
            raise ValueError(CROSSED)
        return self


class Region(Area):
    """A region of a frame that nobody is to see."""

    how: Literal["fill", "blur", "pixelate"] = "fill"
    """`fill` leaves nothing; `blur` and `pixelate` leave at most 8 by 8 mean colours of the region."""


def has_area(points: tuple[Point, ...]) -> bool:
    """Whether a box of two corners has an area, or a polygon of more: not where all lie on one line.

    Then their triangles with the longest side have none.
    """
    if any(len(set(axis)) == 1 for axis in zip(*points, strict=True)):
        return False
    first = points[0]
    far = max(points, key=lambda one: math.dist(first, one))
    across, down = far[0] - first[0], far[1] - first[1]
    areas = (abs(across * (y - first[1]) - down * (x - first[0])) for x, y in points)
    return len(points) == 2 or max(areas) >= _LEAST_AREA


def crosses_itself(points: tuple[Point, ...]) -> bool:
    """Whether two sides of a polygon cross; that they touch is no crossing."""

    def turn(one: Point, two: Point, three: Point) -> float:
        return (two[0] - one[0]) * (three[1] - one[1]) - (two[1] - one[1]) * (three[0] - one[0])

    sides = list(zip(points, (*points[1:], points[0]), strict=True))
    return any(
        turn(a, b, c) * turn(a, b, d) < 0 and turn(c, d, a) * turn(c, d, b) < 0
        for (a, b), (c, d) in combinations(sides, 2)
    )


class Health(_Table):
    """Which faults of the camera are looked for, and when there is one."""

    faults: tuple[Fault, ...] = Field(default=FAULTS, min_length=1)
    """The faults that are looked for."""
    infer: bool = False
    """Whether frozen, black and blocked frames go to the model; else they count as failed."""
    frames: int = Field(default=5, ge=1, le=10_000)
    """A fault begins and ends after so many frames in a row, at least."""
    seconds: float = Field(default=3.0, ge=0, le=3600)
    """A fault begins and ends after so many seconds of such frames, at least."""
    frozen_s: float = Field(default=10.0, ge=0.1, le=86400)
    """The picture is frozen after so many seconds without any change."""
    black: int = Field(default=24, ge=0, le=255)
    """A picture is black when 99% of it is no brighter than this grey level."""
    overexposed: Share = 0.7
    """A picture is overexposed when this share of it is white, at grey level 252 or more."""
    blurred: float = Field(default=7.0, ge=1, le=100)
    """A picture is blurred when its steepest edge is so wide, in 160ths of its width."""
    blocked: Share = 0.97
    """The view is blocked when this share of it, in 48 tiles, shows nothing."""
    moved: Share = 0.4
    """The camera has moved when less than this share of the edges that stand still is where it was."""
    learn_s: float = Field(default=60.0, ge=1, le=86400)
    """How long edges stand still until they count as the view. A new one is adopted after ten times that."""
