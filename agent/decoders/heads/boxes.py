"""What the heads of ``detection`` share: the detections that they find, and how sure they are of a model."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.types import Array, Signature

Size = tuple[int, int]
"""Height and width, pixels or cells."""

_CHANNELS = (1, 3, 4)


class Fit(IntEnum):
    """Whether a model's outputs are those of a head, as far as shapes tell."""

    NO = 0
    MAYBE = 1
    SURE = 2


class Detections(NamedTuple):
    """N detections.

    Attributes:
        boxes: floats (N, 4): ymin, xmin, ymax, xmax as shares of the picture, not yet clipped to it.
        scores: float32 (N,).
        classes: whole numbers, float32 or integers (N,).
    """

    boxes: Array
    scores: Array
    classes: Array

    def finite(self) -> Array:
        """Say of each whether all its numbers are finite: bool (N,)."""
        good: Array = (
            np.isfinite(self.boxes).all(axis=1) & np.isfinite(self.scores) & np.isfinite(self.classes)
        )
        return good

    def only(self, which: Array) -> Detections:
        """Give those that a mask or a list of indices names, in its order."""
        return Detections(self.boxes[which], self.scores[which], self.classes[which])


class Head(Protocol):
    """Reads a model's outputs."""

    def detections(self, outputs: Sequence[Array]) -> Detections:
        """Give detections whose numbers are finite.

        Raises:
            InputRejected: there should be some, and none is finite.
        """


def input_size(signature: Signature) -> Size | None:
    """Give the height and width of the picture that the model takes, or None where it takes none."""
    for spec in signature.inputs:
        if len(spec.shape) == 4 and min(spec.shape) > 0:
            if spec.shape[3] in _CHANNELS:
                return spec.shape[1], spec.shape[2]
            if spec.shape[1] in _CHANNELS:
                return spec.shape[2], spec.shape[3]
    return None


def cells(size: Size, strides: Sequence[int]) -> list[Size]:
    """Give the rows and columns of the grid of each stride, as "same" padding makes them."""
    return [(-(-size[0] // stride), -(-size[1] // stride)) for stride in strides]


def corners(centres: Array) -> Array:
    """Turn boxes (N, 4) of centre y, centre x, height and width into ymin, xmin, ymax, xmax, both float64.

    Nothing that float32 holds overflows here: what is not finite was not finite in the model's output.
    """
    boxes = np.empty((len(centres), 4), np.float64)
    with np.errstate(invalid="ignore"):  # what is not finite is left out by the caller
        half = centres[:, 2:] * 0.5
        boxes[:, :2] = centres[:, :2] - half
        boxes[:, 2:] = centres[:, :2] + half
    return boxes
