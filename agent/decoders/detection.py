"""Detection: boxes with a class and a score, from whichever of these heads the model has.

- ``ssd``: the four outputs of a postprocessing operator, see ``_ssd``;
- ``centers``: two grids, of scores and of boxes, whose postprocessing is done here, see ``_centers``.

The outputs' shapes say which it is, unless an option names it.

What is left out: a detection with a number that is NaN or infinite, whose class is no index, or whose box has
no area within the picture; boxes and scores are clipped to [0, 1]. A frame whose outputs hold no finite
numbers where detections should be is rejected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from agent.decoders import _centers, _ssd
from agent.decoders._fit import check_labels, is_number, misfit
from agent.labels import MAX_LABELS
from agent.types import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.decoders._boxes import Detections
    from agent.labels import Labels
    from agent.types import Array, FrameInfo, Signature, TensorSpec

_WANTED = {
    "auto": f"{_ssd.WANTED}; or {_centers.WANTED}",
    "ssd": _ssd.WANTED,
    "centers": _centers.WANTED,
}
_DIGITS = 6
ROLES = ("boxes", "classes", "scores", "count")
"""Of a head with a postprocessing operator; other heads tell their outputs by the shapes."""


class Options(BaseModel):
    """Which detections are reported."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_score: float = Field(default=0.4, ge=0, le=1, description="leave out detections below this score")
    max_items: int = Field(default=25, ge=1, le=200, description="how many at most, best first")
    iou: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="head centers: leave out what a better one of its class overlaps by more than this",
    )
    head: Literal["auto", "ssd", "centers"] = Field(
        default="auto", description="what the outputs mean; auto tells it by their shapes"
    )


class Head(Protocol):
    """Reads a model's outputs."""

    def detections(self, outputs: Sequence[Array]) -> Detections:
        """Give detections whose numbers are finite.

        Raises:
            InputRejected: there should be some, and none is finite.
        """


def build(options: Options, signature: Signature, labels: Labels) -> DetectionDecoder:
    """Make the decoder for a model of this signature.

    Raises:
        ModelInvalid: the outputs are no head that is known, or the labels are not as many as its classes.
    """
    outputs = signature.outputs
    head = _find_head(options, outputs, labels) if all(is_number(spec) for spec in outputs) else None
    if head is None:
        raise misfit("detection", _WANTED[options.head], outputs)
    return DetectionDecoder(options, head, labels)


def _find_head(options: Options, outputs: tuple[TensorSpec, ...], labels: Labels) -> Head | None:
    rows = _ssd.find_roles(outputs)
    if rows is not None and options.head != "centers":
        return _ssd.SsdHead(outputs, rows)
    grids = _centers.find_roles(outputs)
    if grids is None or options.head == "ssd":
        return None
    check_labels(labels, outputs[grids.scores].shape[3], "detection")
    return _centers.CentersHead(
        outputs, grids, min_score=options.min_score, iou=options.iou, most=options.max_items
    )


class DetectionDecoder:
    """Items are {"label", "index", "score", "box": [ymin, xmin, ymax, xmax]}, the best first."""

    def __init__(self, options: Options, head: Head, labels: Labels) -> None:
        self._options = options
        self._head = head
        self._labels = labels

    def decode(
        self,
        outputs: Sequence[Array],
        frame: FrameInfo,  # noqa: ARG002 - the seam has it
        inputs: Sequence[Array] = (),  # noqa: ARG002 - the seam has it
    ) -> Result:
        """Read one frame's outputs.

        Raises:
            InputRejected: they hold no finite numbers where detections should be.
        """
        table = np.column_stack(self._head.detections(outputs))
        table[:, :5] = table[:, :5].clip(0, 1)
        table = table.astype(np.float64).round(_DIGITS) + 0.0  # the sum makes -0.0 a plain zero
        good = (table[:, 0] < table[:, 2]) & (table[:, 1] < table[:, 3])
        good &= (table[:, 5] >= 0) & (table[:, 5] < MAX_LABELS)
        table = table[good & (table[:, 4] >= self._options.min_score)]
        best = np.argsort(-table[:, 4], kind="stable")[: self._options.max_items]
        return Result("detection", tuple(self._item(row) for row in table[best].tolist()))

    def _item(self, row: list[float]) -> dict[str, object]:
        index = int(row[5])
        return {"label": self._labels.name(index), "index": index, "score": row[4], "box": row[:4]}
