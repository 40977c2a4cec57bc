"""YOLOv5: boxes with an objectness beside the classes, decoded by the model or as three raw maps.

Decoded there is one output (1, N, 5 + classes): centre x, centre y, width and height, in pixels of the
input or in shares; objectness; and a share for each class. Raw there are three, of grids of strides 8, 16
and 32: (1, rows, columns, 3 * (5 + classes)), the same numbers for each of a cell's three anchors before
the sigmoid. With s = sigmoid(number), a cell (row, column) and an anchor of width w and height h
(Ultralytics' YOLOv5, models/yolo.py):

    centre x = (2 * s - 0.5 + column) / columns, centre y likewise; width = (2 * s) ** 2 * w, height likewise

A class's score is the objectness times its share. YOLOv3 and v4 have raw maps of the same shape and another
meaning, so raw maps are read only when the head is named.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from agent.decoders._fit import check_labels
from agent.decoders._output import Output
from agent.decoders.heads.boxes import Detections, Fit, cells, input_size
from agent.decoders.heads.candidates import SLACK, Candidates, logit, see_numbers, sigmoid
from agent.decoders.heads.nms import settle
from agent.decoders.heads.yolo import Unit, from_centres

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.decoders.heads.boxes import Head, Size
    from agent.decoders.heads.options import Options
    from agent.labels import Labels
    from agent.types import Array, Signature, TensorSpec

WANTED = "one output [1, N, 5 + classes], or three [1, rows, columns, 3 * (5 + classes)]"
STRIDES = (8, 16, 32)
PER_CELL = 3
_OBJECT = 4
_CLASSES = 5


def find_roles(outputs: Sequence[TensorSpec]) -> tuple[int, ...] | None:
    """Give the position of the one output, or of the three from fine to coarse; None: something else."""
    shapes = [spec.shape for spec in outputs]
    if len(shapes) == 1:
        shape = shapes[0]
        good = len(shape) == 3 and shape[0] == 1 and shape[1] > 0 and shape[2] > _CLASSES
        return (0,) if good else None
    if len(shapes) != len(STRIDES) or any(len(shape) != 4 or shape[0] != 1 for shape in shapes):
        return None
    last = {shape[3] for shape in shapes}
    order = sorted(range(len(shapes)), key=lambda at: -shapes[at][1])
    falling = all(shapes[one][1] > shapes[two][1] > 0 for one, two in pairwise(order))
    numbers = last.pop()
    good = falling and not last and numbers % PER_CELL == 0 and numbers // PER_CELL > _CLASSES
    return tuple(order) if good and all(shape[2] > 0 for shape in shapes) else None


def fit(options: Options, signature: Signature) -> Fit:  # noqa: ARG001 - every head has it
    """Say whether the outputs are of this head: sure when there are three rows a cell."""
    roles = find_roles(signature.outputs)
    size = input_size(signature)
    if roles is None:
        return Fit.NO
    wanted = PER_CELL * sum(rows * columns for rows, columns in cells(size, STRIDES)) if size else 0
    return Fit.SURE if len(roles) == 1 and signature.outputs[0].shape[1] == wanted else Fit.MAYBE


def find(options: Options, signature: Signature, labels: Labels) -> Head | None:
    """Make the head; give None where the outputs are of no such kind.

    Raises:
        ModelInvalid: the labels are not as many as the classes.
    """
    outputs = signature.outputs
    roles = find_roles(outputs)
    size = input_size(signature)
    if roles is None or (len(roles) > 1 and size is None):
        return None
    numbers = outputs[0].shape[-1] // (PER_CELL if len(roles) > 1 else 1)
    check_labels(labels, numbers - _CLASSES, "detection")
    if len(roles) == 1 or size is None:
        return DecodedHead(outputs, options, size)
    return MapsHead(outputs, roles, options, size)


class DecodedHead:
    """Reads rows that the model has decoded."""

    def __init__(self, outputs: Sequence[TensorSpec], options: Options, size: Size | None) -> None:
        self._output = Output(outputs, 0)
        self._unit = Unit(options, self._output, size)
        self._options = options

    def detections(self, outputs: Sequence[Array]) -> Detections:
        """Give at most ``max_items`` detections, the best first.

        Raises:
            InputRejected: no objectness is finite, or no box of those that score enough.
        """
        part = self._output.stored(outputs)[0]
        _, numbers = _likely(self._output, part, self._options.min_score - SLACK)
        found = _scored(numbers[:, _OBJECT:], self._options.min_score - SLACK).best()
        boxes = from_centres(numbers[found.rows, :4], self._unit.divisor(part[:, 0]))
        return settle(Detections(boxes, found.scores, found.classes), self._options, self._output.spec)


class MapsHead:
    """Reads raw maps."""

    def __init__(
        self, outputs: Sequence[TensorSpec], roles: Sequence[int], options: Options, size: Size
    ) -> None:
        self._outputs = [Output(outputs, at) for at in roles]
        self._anchors = np.array(options.anchors.sizes, np.float32) / np.array(size[::-1], np.float32)
        self._options = options

    def detections(self, outputs: Sequence[Array]) -> Detections:
        """Give at most ``max_items`` detections, the best first.

        Raises:
            InputRejected: no objectness of a map is finite.
        """
        maps = [self._decoded(at, output, outputs) for at, output in enumerate(self._outputs)]
        boxes, numbers = (np.concatenate(parts) for parts in zip(*maps, strict=True))
        found = _scored(numbers, self._options.min_score - SLACK).best()
        boxes = from_centres(boxes[found.rows], np.ones(2, np.float32))
        return settle(Detections(boxes, found.scores, found.classes), self._options, self._outputs[0].spec)

    def _decoded(self, at: int, output: Output, outputs: Sequence[Array]) -> tuple[Array, Array]:
        """Give boxes (K, 4), and objectness and shares (K, 1 + classes), of rows that may score enough."""
        grid = output.stored(outputs)[0]
        columns = grid.shape[1]
        part = grid.reshape(grid.shape[0] * columns * PER_CELL, -1)
        rows, real = _likely(output, part, logit(self._options.min_score - SLACK))
        shares = np.where(np.isfinite(real), sigmoid(real), np.float32(np.nan))
        cell, anchor = np.divmod(rows, PER_CELL)
        places = np.stack((cell % columns, cell // columns), axis=1).astype(np.float32)
        boxes = np.empty((len(rows), 4), np.float32)
        boxes[:, :2] = (2 * shares[:, :2] - np.float32(0.5) + places) / (columns, grid.shape[0])
        boxes[:, 2:] = (2 * shares[:, 2:4]) ** 2 * self._anchors[at][anchor]
        return boxes, shares[:, _OBJECT:]


def _likely(output: Output, part: Array, least: float) -> tuple[Array, Array]:
    """Give the rows with an objectness of ``least`` or more, (K,), and their numbers (K, 5 + classes).

    Raises:
        InputRejected: no objectness is finite, or no class of these rows.
    """
    rows = np.flatnonzero(output.at_least(part[:, _OBJECT], least))
    real = output.real(part[rows])
    good = np.isfinite(real[:, _OBJECT]) & np.isfinite(real[:, _CLASSES:]).any(axis=1)
    if not good.any():
        see_numbers(output, part[:, _OBJECT])
        see_numbers(output, real[:, _CLASSES:])
    return rows[good], real[good]


def _scored(numbers: Array, least: float) -> Candidates:
    """Give the best class of each row of objectness and shares (N, 1 + classes), where it scores enough."""
    if not numbers.size:
        return Candidates(*(np.empty(0, kind) for kind in (np.intp, np.intp, np.float32)))
    shares = np.where(np.isfinite(numbers[:, 1:]), numbers[:, 1:], -1).clip(max=1)
    classes = shares.argmax(axis=1)
    scores = numbers[:, 0].clip(0, 1) * shares[np.arange(len(shares)), classes]
    rows = np.flatnonzero(scores >= np.float32(least))
    return Candidates(rows, classes[rows], scores[rows])
