"""What the heads of ``detection`` share: the detections that they find, as arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from agent.errors import InputRejected

if TYPE_CHECKING:
    from agent.types import Array, TensorSpec


class Detections(NamedTuple):
    """N detections.

    Attributes:
        boxes: float32 (N, 4): ymin, xmin, ymax, xmax as shares of the picture, not yet clipped to it.
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


def garbage(output: TensorSpec, problem: str) -> InputRejected:
    """Give the error for a frame whose outputs say nothing."""
    return InputRejected("decode", output.name, problem, "Check the model with --task tensor")
