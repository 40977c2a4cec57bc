"""Detections as peaks: an anchor-free head that scores, for each cell of a grid, that a centre lies in it.

There are two outputs of one grid: scores (1, rows, columns, classes) in [0, 1], and boxes (1, rows, columns,
4), the distances from the cell's centre to the box's top, left, bottom and right side, in cells. So the cell
(r, c) means the box from (r + 0.5 - top, c + 0.5 - left) to (r + 0.5 + bottom, c + 0.5 + right).

Which is which is told by the last dimension; where there are four classes by the names, when they say "box"
or "score", else the scores come first.

A detection is a cell whose score is the highest of its class among its eight neighbours (as in "Objects as
Points", Zhou et al., 2019), and that no better one of its class overlaps by more than ``iou``. NaN and
infinite scores are no peaks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from agent.decoders._fit import check_labels, garbage
from agent.decoders._output import Output
from agent.decoders.heads.boxes import Detections, Fit
from agent.decoders.heads.candidates import SLACK, best_first
from agent.decoders.heads.nms import settle
from agent.tensors import dequantize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.decoders.heads.boxes import Head
    from agent.decoders.heads.options import Options
    from agent.labels import Labels
    from agent.types import Array, Signature, TensorSpec

WANTED = "two: scores [1, rows, columns, classes] and boxes [1, rows, columns, 4]"

_MOST_PEAKS = 400
"""How many peaks are compared with each other at most, the best ones."""


class Roles(NamedTuple):
    """Which output is which, by position."""

    scores: int
    boxes: int


def find_roles(outputs: Sequence[TensorSpec]) -> Roles | None:
    """Tell the two outputs apart, or give None when they are something else."""
    if len(outputs) != 2 or any(len(spec.shape) != 4 or min(spec.shape) < 1 for spec in outputs):
        return None
    first, second = (spec.shape for spec in outputs)
    if first[:3] != second[:3] or first[0] != 1 or 4 not in (first[3], second[3]):
        return None
    if first[3] == second[3]:
        one, other = (spec.name.lower() for spec in outputs)
        return Roles(1, 0) if "box" in one or "score" in other else Roles(0, 1)
    return Roles(1, 0) if first[3] == 4 else Roles(0, 1)


def fit(options: Options, signature: Signature) -> Fit:  # noqa: ARG001 - every head has it
    """Say whether the outputs are of this head."""
    return Fit.SURE if find_roles(signature.outputs) else Fit.NO


def find(options: Options, signature: Signature, labels: Labels) -> Head | None:
    """Make the head; give None where the outputs are of no such kind.

    Raises:
        ModelInvalid: the labels are not as many as the classes.
    """
    roles = find_roles(signature.outputs)
    if roles is None:
        return None
    check_labels(labels, signature.outputs[roles.scores].shape[3], "detection")
    return CentersHead(signature.outputs, roles, options)


class CentersHead:
    """Finds the peaks, and leaves out what a better one overlaps."""

    def __init__(self, outputs: Sequence[TensorSpec], roles: Roles, options: Options) -> None:
        self._scores, self._boxes = outputs[roles.scores], Output(outputs, roles.boxes)
        self._roles = roles
        self._least = options.min_score - SLACK
        self._options = options

    def detections(self, outputs: Sequence[Array]) -> Detections:
        """Give at most ``max_items`` detections, the best first.

        Raises:
            InputRejected: no score is finite, or no box of a peak.
        """
        scores = dequantize(outputs[self._roles.scores], self._scores)[0]
        row, column, index = np.nonzero(self._peaks(scores))
        found = scores[row, column, index]
        best = best_first(found, _MOST_PEAKS)
        row, column, index, found = row[best], column[best], index[best], found[best]
        sides = self._boxes.real(self._boxes.stored(outputs)[0][row, column])
        boxes = self._placed(row, column, sides)
        return settle(Detections(boxes, found, index), self._options, self._boxes.spec)

    def _peaks(self, scores: Array) -> Array:
        """Mark the peaks that score enough: bool, the shape of ``scores`` (rows, columns, classes)."""
        finite = np.isfinite(scores)
        if not finite.any():
            raise garbage(self._scores.name, f"none of its {scores.size} scores is finite")
        known = np.where(finite, scores, -np.inf)
        rows, columns, classes = known.shape
        framed = np.full((rows + 2, columns + 2, classes), -np.inf, np.float32)
        framed[1:-1, 1:-1] = known
        tall = np.maximum(np.maximum(framed[:-2], framed[1:-1]), framed[2:])
        highest = np.maximum(np.maximum(tall[:, :-2], tall[:, 1:-1]), tall[:, 2:])
        marked: Array = finite & (known == highest) & (known >= self._least)
        return marked

    def _placed(self, row: Array, column: Array, sides: Array) -> Array:
        """Turn distances in cells into boxes in shares of the picture: float32 (N, 4)."""
        _, rows, columns, _ = self._scores.shape
        centre = np.stack((row, column, row, column), axis=1) + np.float32(0.5)
        with np.errstate(over="ignore", invalid="ignore"):  # what is not finite is left out by the caller
            boxes: Array = (centre + sides * (-1, -1, 1, 1)) / (rows, columns, rows, columns)
        return boxes.astype(np.float32)
