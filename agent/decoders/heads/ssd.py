"""Detections that are ready: the four outputs of SSD models with a postprocessing operator.

They are boxes (1, N, 4) as ymin, xmin, ymax, xmax in [0, 1]; classes (1, N); scores (1, N); and how many of
the N rows count. Which is which is told by the names where they say "class" and "score", else by the order:
TF1 exports give boxes, classes, scores, count; TF2 exports scores, boxes, count, classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from agent.decoders._fit import garbage
from agent.decoders.heads.boxes import Detections, Fit
from agent.tensors import dequantize

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.decoders.heads.boxes import Head
    from agent.decoders.heads.options import Options
    from agent.errors import InputRejected
    from agent.labels import Labels
    from agent.types import Array, Signature, TensorSpec

WANTED = "four outputs: boxes [1, N, 4], classes [1, N], scores [1, N] and a count [1]"


class Roles(NamedTuple):
    """Which output is which, by position."""

    boxes: int
    classes: int
    scores: int
    total: int


def find_roles(outputs: Sequence[TensorSpec]) -> Roles | None:
    """Tell the four outputs apart, or give None when they are something else."""
    shapes = [spec.shape for spec in outputs]
    boxes = [at for at, shape in enumerate(shapes) if len(shape) == 3 and shape[0] == 1 and shape[2] == 4]
    if len(outputs) != 4 or len(boxes) != 1:
        return None
    rows = shapes[boxes[0]][1]
    flat = [at for at, shape in enumerate(shapes) if shape == (1, rows)]
    counts = [at for at, shape in enumerate(shapes) if shape in ((), (1,)) or (shape == (1, 1) and rows != 1)]
    if len(flat) != 2 or len(counts) != 1:
        return None
    names = [(outputs[at].called or outputs[at].name).lower() for at in flat]
    classes, scores = _classes_and_scores(names, flat, boxes[0])
    return Roles(boxes[0], classes, scores, counts[0])


def _classes_and_scores(names: list[str], flat: list[int], boxes: int) -> tuple[int, int]:
    first, second = flat
    if "class" in names[0] or "score" in names[1]:
        return first, second
    if "score" in names[0] or "class" in names[1]:
        return second, first
    return (first, second) if boxes < first else (second, first)


def fit(options: Options, signature: Signature) -> Fit:  # noqa: ARG001 - every head has it
    """Say whether the outputs are of this head."""
    return Fit.SURE if find_roles(signature.outputs) else Fit.NO


def find(options: Options, signature: Signature, labels: Labels) -> Head | None:  # noqa: ARG001 - no class count
    """Make the head; give None where the outputs are of no such kind."""
    roles = find_roles(signature.outputs)
    return None if roles is None else SsdHead(signature.outputs, roles)


class SsdHead:
    """Reads the rows that count."""

    def __init__(self, outputs: Sequence[TensorSpec], roles: Roles) -> None:
        self._outputs = outputs
        self._roles = roles

    def detections(self, outputs: Sequence[Array]) -> Detections:
        """Give the rows whose numbers are finite.

        Raises:
            InputRejected: the count, or all rows that count, are NaN or infinite.
        """
        boxes, classes, scores, count = (dequantize(outputs[at], self._outputs[at]) for at in self._roles)
        rows = self._counted(count, scores.size)
        found = Detections(
            boxes.reshape(-1, 4)[:rows], scores.reshape(-1)[:rows], np.rint(classes.reshape(-1)[:rows])
        )
        finite = found.finite()
        if rows and not finite.any():
            raise self._garbage(f"none of its {rows} detections has finite numbers")
        return found.only(finite)

    def _counted(self, count: Array, most: int) -> int:
        number = float(count.reshape(-1)[0]) if count.size else float("nan")
        if not np.isfinite(number):
            raise self._garbage("its count is not finite")
        return min(max(round(number), 0), most)

    def _garbage(self, problem: str) -> InputRejected:
        return garbage(self._outputs[self._roles.boxes].name, problem)
