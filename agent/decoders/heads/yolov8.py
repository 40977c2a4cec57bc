"""YOLOv8, YOLO11 and others that are read alike: one output of boxes and scores, without anchors.

It is (1, 4 + classes, N), or (1, N, 4 + classes): centre x, centre y, width and height of a box, in pixels
of the input or in shares, and a score for each class, in [0, 1]. N is the cells of three grids, of strides
8, 16 and 32.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.decoders._fit import check_labels
from agent.decoders._output import Output
from agent.decoders.heads.boxes import Detections, Fit, cells, input_size
from agent.decoders.heads.candidates import find_rows, of_columns
from agent.decoders.heads.nms import settle
from agent.decoders.heads.yolo import Unit, from_centres

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.decoders.heads.boxes import Head, Size
    from agent.decoders.heads.options import Options
    from agent.labels import Labels
    from agent.types import Array, Signature, TensorSpec

WANTED = "one output, [1, 4 + classes, N] or [1, N, 4 + classes]"
STRIDES = (8, 16, 32)


def rows_of(size: Size) -> int:
    """Give N for a picture of this size."""
    return sum(rows * columns for rows, columns in cells(size, STRIDES))


def find_roles(outputs: Sequence[TensorSpec], size: Size | None, labels: int = 0) -> int | None:
    """Give which dimension of the output the rows run along, 1 or 2, or None when it is something else.

    The number of labels tells, then the number of cells; else there are more rows than classes.
    """
    if len(outputs) != 1 or len(outputs[0].shape) != 3 or outputs[0].shape[0] != 1:
        return None
    shape = outputs[0].shape
    known = (4 + labels if labels else 0, rows_of(size) if size else 0)
    if (shape[1] == known[0]) != (shape[2] == known[0]):
        rows = 1 if shape[2] == known[0] else 2
    elif (shape[1] == known[1]) != (shape[2] == known[1]):
        rows = 1 if shape[1] == known[1] else 2
    else:
        rows = 1 if shape[1] >= shape[2] else 2
    return rows if shape[3 - rows] > 4 and shape[rows] > 0 else None


def fit(options: Options, signature: Signature) -> Fit:  # noqa: ARG001 - every head has it
    """Say whether the output is of this head: sure when there are as many cells as rows."""
    size = input_size(signature)
    rows = find_roles(signature.outputs, size)
    if rows is None:
        return Fit.NO
    return Fit.SURE if size and signature.outputs[0].shape[rows] == rows_of(size) else Fit.MAYBE


def find(options: Options, signature: Signature, labels: Labels) -> Head | None:
    """Make the head; give None where the output is of no such kind.

    Raises:
        ModelInvalid: the labels are not as many as the classes.
    """
    size = input_size(signature)
    rows = find_roles(signature.outputs, size, len(labels.names))
    if rows is None:
        return None
    check_labels(labels, signature.outputs[0].shape[3 - rows] - 4, "detection")
    return YoloHead(signature.outputs, rows, options, size)


class YoloHead:
    """Decodes the boxes of the rows that score enough."""

    def __init__(self, outputs: Sequence[TensorSpec], rows: int, options: Options, size: Size | None) -> None:
        self._output = Output(outputs, 0)
        self._unit = Unit(options, self._output, size)
        self._flat = rows == 1
        self._options = options

    def detections(self, outputs: Sequence[Array]) -> Detections:
        """Give at most ``max_items`` detections, the best first.

        Raises:
            InputRejected: no score is finite, or no box of those that score enough.
        """
        part = self._output.stored(outputs)[0]
        least = self._options.min_score
        if self._flat:
            found = find_rows(self._output, part[:, 4:], least).best()
            numbers, centres = part[found.rows, :4], part[:, 0]
        else:
            found = of_columns(self._output, part[4:], least).best()
            numbers, centres = part[:4, found.rows].T, part[0]
        boxes = from_centres(self._output.real(numbers), self._unit.divisor(centres))
        return settle(Detections(boxes, found.scores, found.classes), self._options, self._output.spec)
