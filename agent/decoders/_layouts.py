"""Layouts of ``pose``: what finds people and their keypoints in a model's outputs.

Each gives arrays of people; coordinates are shares of the picture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from agent.decoders._scores import activate, settled
from agent.tensors import dequantize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.decoders._scores import Activation
    from agent.types import Array, TensorSpec

WANTED = (
    "[1, 1, keypoints, 3] (MoveNet), [1, people, 3 x keypoints + 5] (MoveNet multi-pose), or heatmaps "
    "[1, rows, columns, keypoints] with offsets [1, rows, columns, 2 x keypoints] (PoseNet)"
)
_OF_BOX = 5


class People(NamedTuple):
    """P people with K keypoints each.

    Attributes:
        points: float32 (P, K, 2): y, x.
        scores: float32 (P, K), of the keypoints.
        sure: float32 (P,): the model's own score of each person, or None where it gives none.
    """

    points: Array
    scores: Array
    sure: Array | None = None


class Layout(Protocol):
    """Reads a model's outputs."""

    @property
    def keypoints(self) -> int:
        """How many keypoints a person has."""

    def people(self, outputs: Sequence[Array]) -> People:
        """Give all that the outputs hold; numbers may be NaN."""


def find(
    inputs: tuple[TensorSpec, ...], outputs: tuple[TensorSpec, ...], activation: Activation
) -> Layout | None:
    """Tell the layout by the shapes, or give None when it is none of these."""
    if len(outputs) == 1:
        match outputs[0].shape:
            case (1, 1, keypoints, 3) if keypoints >= 1:
                return Single(outputs[0])
            case (1, people, size) if people >= 1 and size > _OF_BOX and (size - _OF_BOX) % 3 == 0:
                return Several(outputs[0])
        return None
    pairs = [
        (heat, offset)
        for heat, one in enumerate(outputs)
        for offset, two in enumerate(outputs)
        if len(one.shape) == 4
        and one.shape[0] == 1
        and min(one.shape) >= 1
        and two.shape == (*one.shape[:3], 2 * one.shape[3])
    ]
    sides = inputs[0].shape[1:3] if len(inputs) == 1 and len(inputs[0].shape) == 4 else ()
    if len(pairs) != 1 or len(sides) != 2 or min(sides) < 1:
        return None
    return Heatmaps(outputs, pairs[0], sides, activation)


class Single:
    """MoveNet single-pose: y, x, score of each keypoint (tfhub.dev/google/movenet/singlepose/lightning)."""

    def __init__(self, output: TensorSpec) -> None:
        self._output = output
        self.keypoints = output.shape[2]

    def people(self, outputs: Sequence[Array]) -> People:
        """Give the one person that there always is."""
        table = dequantize(outputs[0], self._output)[0]
        return People(table[..., :2], table[..., 2])


class Several:
    """MoveNet multi-pose: people of [y, x, score] x K, then ymin, xmin, ymax, xmax, score.

    The source is tfhub.dev/google/movenet/multipose/lightning.
    """

    def __init__(self, output: TensorSpec) -> None:
        self._output = output
        self.keypoints = (output.shape[2] - _OF_BOX) // 3

    def people(self, outputs: Sequence[Array]) -> People:
        """Give all rows, those that score nothing, too."""
        rows = dequantize(outputs[0], self._output)[0]
        table = rows[:, :-_OF_BOX].reshape(len(rows), self.keypoints, 3)
        return People(table[..., :2], table[..., 2], rows[:, -1])


class Heatmaps:
    """PoseNet with one person: the best cell of each keypoint's heatmap, moved by the offset that it has.

    A cell (r, c) stands for the pixel (r * stride, c * stride) of the input, where the stride is
    (side - 1) / (cells - 1); offsets are pixels, all of y before all of x. The source is Papandreou et al.,
    "PersonLab", 2018, and its TensorFlow.js implementation's single-pose decoding. Scores are logits unless
    ``activation`` says otherwise.
    """

    def __init__(
        self,
        outputs: tuple[TensorSpec, ...],
        pair: tuple[int, int],
        sides: tuple[int, ...],
        activation: Activation,
    ) -> None:
        self._heat, self._offset = pair
        self._specs = outputs
        self._activation = settled(activation, outputs[self._heat], "sigmoid")
        _, rows, columns, self.keypoints = outputs[self._heat].shape
        self._cells = np.array((rows, columns))
        self._sides = np.array(sides, np.float64)

    def people(self, outputs: Sequence[Array]) -> People:
        """Give the one person that there always is; a keypoint without a finite cell is NaN."""
        heat = dequantize(outputs[self._heat], self._specs[self._heat])[0].reshape(-1, self.keypoints)
        finite = np.isfinite(heat)
        best = np.where(finite, heat, -np.inf).argmax(axis=0)
        every = np.arange(self.keypoints)
        scores = activate(self._activation, heat, finite, "sigmoid")[best, every]
        row, column = np.divmod(best, self._cells[1])
        offsets = dequantize(outputs[self._offset], self._specs[self._offset])[0]
        moved = offsets[row, column].reshape(self.keypoints, 2, self.keypoints)[every, :, every]
        strides = (self._sides - 1) / np.maximum(self._cells - 1, 1)
        points = (np.stack((row, column), axis=1) * strides + moved) / self._sides
        return People(points[np.newaxis], np.where(scores < 0, np.nan, scores)[np.newaxis])
