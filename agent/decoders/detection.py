"""Detection: boxes, as SSD models with a postprocessing operator give them.

The model has four outputs: boxes (1, N, 4) as ymin, xmin, ymax, xmax in [0, 1]; classes (1, N); scores
(1, N); and how many of the N rows count. Which is which is told by the names where they say "class" and
"score", else by the order: TF1 exports give boxes, classes, scores, count; TF2 exports scores, boxes,
count, classes.

A row is left out when a number in it is NaN or infinite, its class is no index, or its box has no area
within the picture; boxes and scores are clipped to [0, 1]. Where rows should count and none of them has
finite numbers, or the count itself is not finite, the frame is rejected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from agent.decoders._fit import is_number, misfit
from agent.errors import InputRejected
from agent.labels import MAX_LABELS
from agent.tensors import dequantize
from agent.types import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.labels import Labels
    from agent.types import Array, FrameInfo, Signature, TensorSpec

_WANTED = "four outputs: boxes [1, N, 4], classes [1, N], scores [1, N] and a count [1]"
_DIGITS = 6


class Options(BaseModel):
    """Which detections are reported."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_score: float = Field(default=0.4, ge=0, le=1, description="leave out detections below this score")
    max_items: int = Field(default=25, ge=1, le=200, description="how many at most, best first")


class Roles(NamedTuple):
    """Which output is which, by position."""

    boxes: int
    classes: int
    scores: int
    total: int


def build(options: Options, signature: Signature, labels: Labels) -> DetectionDecoder:
    """Make the decoder for a model of this signature.

    Raises:
        ModelInvalid: they are not boxes, classes, scores and count.
    """
    outputs = signature.outputs
    roles = find_roles(outputs)
    if roles is None or not all(is_number(spec) for spec in outputs):
        raise misfit("detection", _WANTED, outputs)
    return DetectionDecoder(options, outputs, roles, labels)


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
    classes, scores = _classes_and_scores([outputs[at].name.lower() for at in flat], flat, boxes[0])
    return Roles(boxes[0], classes, scores, counts[0])


def _classes_and_scores(names: list[str], flat: list[int], boxes: int) -> tuple[int, int]:
    first, second = flat
    if "class" in names[0] or "score" in names[1]:
        return first, second
    if "score" in names[0] or "class" in names[1]:
        return second, first
    return (first, second) if boxes < first else (second, first)


class DetectionDecoder:
    """Items are {"label", "index", "score", "box": [ymin, xmin, ymax, xmax]}, the best first."""

    def __init__(
        self, options: Options, outputs: tuple[TensorSpec, ...], roles: Roles, labels: Labels
    ) -> None:
        self._options = options
        self._outputs = outputs
        self._roles = roles
        self._labels = labels

    def decode(
        self,
        outputs: Sequence[Array],
        frame: FrameInfo,  # noqa: ARG002 - the seam has it
        inputs: Sequence[Array] = (),  # noqa: ARG002 - the seam has it
    ) -> Result:
        """Read one frame's outputs.

        Raises:
            InputRejected: the count, or all rows that count, are NaN or infinite.
        """
        boxes, classes, scores, count = (dequantize(outputs[at], self._outputs[at]) for at in self._roles)
        rows = self._counted(count, scores.size)
        table = np.column_stack(
            (boxes.reshape(-1, 4)[:rows], scores.reshape(-1)[:rows], classes.reshape(-1)[:rows])
        )
        finite = np.isfinite(table).all(axis=1)
        if rows and not finite.any():
            raise self._garbage(f"none of its {rows} detections has finite numbers")
        table = table[finite]
        table[:, :5] = table[:, :5].clip(0, 1)
        table[:, 5] = np.rint(table[:, 5])
        good = (table[:, 0] < table[:, 2]) & (table[:, 1] < table[:, 3])
        good &= (table[:, 5] >= 0) & (table[:, 5] < MAX_LABELS)
        table = table[good].astype(np.float64).round(_DIGITS) + 0.0  # the sum makes -0.0 a plain zero
        table = table[table[:, 4] >= self._options.min_score]
        best = np.argsort(-table[:, 4], kind="stable")[: self._options.max_items]
        return Result("detection", tuple(self._item(row) for row in table[best].tolist()))

    def _counted(self, count: Array, most: int) -> int:
        number = float(count.reshape(-1)[0]) if count.size else float("nan")
        if not np.isfinite(number):
            raise self._garbage("its count is not finite")
        return min(max(round(number), 0), most)

    def _garbage(self, problem: str) -> InputRejected:
        name = self._outputs[self._roles.boxes].name
        return InputRejected("decode", name, problem, "Check the model with --task tensor")

    def _item(self, row: list[float]) -> dict[str, object]:
        index = int(row[5])
        return {"label": self._labels.name(index), "index": index, "score": row[4], "box": row[:4]}
