"""Rows that need no more comparing: YOLOv10, YOLO26, and other files that end in their own suppression.

There is one output (1, N, 6): xmin, ymin, xmax, ymax in pixels of the input or in shares, the score, and
the class. N is 300 unless somebody chose another number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agent.decoders._fit import garbage
from agent.decoders._output import Output
from agent.decoders.heads import yolov8
from agent.decoders.heads.boxes import Detections, Fit, input_size
from agent.decoders.heads.candidates import SLACK, see_numbers
from agent.decoders.heads.yolo import Unit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.decoders.heads.boxes import Head, Size
    from agent.decoders.heads.options import Options
    from agent.labels import Labels
    from agent.types import Array, Signature, TensorSpec

WANTED = "one output, [1, N, 6] of corners, score and class"
_USUAL = 300


def find_roles(outputs: Sequence[TensorSpec]) -> int | None:
    """Give how many rows the output has, or None when it is something else."""
    shape = outputs[0].shape if len(outputs) == 1 else ()
    return shape[1] if len(shape) == 3 and (shape[0], shape[2]) == (1, 6) and shape[1] > 0 else None


def fit(options: Options, signature: Signature) -> Fit:  # noqa: ARG001 - every head has it
    """Say whether the output is of this head: sure with 300 rows, which are not as many as the cells."""
    rows = find_roles(signature.outputs)
    size = input_size(signature)
    if rows is None:
        return Fit.NO
    return Fit.SURE if size and rows == _USUAL and rows % yolov8.rows_of(size) else Fit.MAYBE


def find(options: Options, signature: Signature, labels: Labels) -> Head | None:  # noqa: ARG001 - no class count
    """Make the head; give None where the output is of no such kind."""
    if find_roles(signature.outputs) is None:
        return None
    return RowsHead(signature.outputs, options, input_size(signature))


class RowsHead:
    """Reads the rows that score enough."""

    def __init__(self, outputs: Sequence[TensorSpec], options: Options, size: Size | None) -> None:
        self._output = Output(outputs, 0)
        self._unit = Unit(options, self._output, size)
        self._options = options

    def detections(self, outputs: Sequence[Array]) -> Detections:
        """Give the rows that score enough and whose numbers are finite.

        Raises:
            InputRejected: no score is finite, or no row of those that score enough.
        """
        part = self._output.stored(outputs)[0]
        rows = np.flatnonzero(self._output.at_least(part[:, 4], self._options.min_score - SLACK))
        if not rows.size:
            see_numbers(self._output, part[:, 4])
        real = self._output.real(part[rows])
        found = Detections(self._boxes(real[:, :4]), real[:, 4], np.rint(real[:, 5]))
        good = found.finite()
        if good.size and not good.any():
            raise garbage(self._output.spec.name, f"none of its {good.size} detections has finite numbers")
        return found.only(good)

    def _boxes(self, numbers: Array) -> Array:
        """Turn xmin, ymin, xmax, ymax (N, 4) into ymin, xmin, ymax, xmax in shares: float32."""
        divisor = self._unit.divisor(numbers)
        boxes: Array = numbers[:, (1, 0, 3, 2)] / np.concatenate((divisor, divisor))
        return boxes
