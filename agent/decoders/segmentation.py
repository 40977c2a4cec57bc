"""Segmentation: which class each part of the picture is of.

The model has one output, of one of these kinds:

- ``scores``: [1, rows, columns, classes], scores or logits; a cell is of the class that scores highest;
- ``classes``: [1, rows, columns] or [1, rows, columns, 1], the index of each cell's class;
- ``binary``: of the same shapes, the score (or the logit) that the cell is of class 1; else it is of class 0.

"auto" takes several channels for scores, plain integers for classes, and all else for binary.

The output is first thinned out to at most ``grid`` rows and columns, the middle cell of each block, so that a
result stays small; everything is of that grid. Where its masks still have too many runs, half of it is taken.
A cell with no finite number is of no class; a frame of such cells is rejected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from agent.decoders._fit import check_labels, garbage, is_number, misfit
from agent.decoders._output import Output
from agent.decoders._scores import Activation, activate, settled
from agent.imaging import masks
from agent.labels import MAX_LABELS
from agent.tensors import is_quantized
from agent.types import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.labels import Labels
    from agent.types import Array, FrameInfo, Signature, TensorSpec

Kind = Literal["auto", "scores", "classes", "binary"]

_WANTED = (
    "one output: scores [1, rows, columns, classes], or a class or a score for each cell, "
    "[1, rows, columns] or [1, rows, columns, 1]"
)
_MOST_RUNS = 8000
"""How many runs all masks of a result have at most: it crosses a socket that takes 64 KiB."""
_HALF = 0.5
_DIGITS = 6


class Options(BaseModel):
    """Which classes are reported, and how finely."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    min_share: float = Field(
        default=0.001, ge=0, le=1, description="leave out classes that cover less of the frame than this"
    )
    max_items: int = Field(
        default=20, ge=1, le=100, description="how many classes at most, the largest first"
    )
    background: bool = Field(default=False, description="report class 0, too")
    grid: int = Field(default=64, ge=4, le=256, description="how many rows and columns a mask has at most")
    output: Kind = Field(default="auto", description="what the output means; auto tells it by shape and type")
    activation: Activation = Field(default="auto", description="what turns the output into scores")


def build(options: Options, signature: Signature, labels: Labels) -> SegmentationDecoder:
    """Make the decoder for a model of this signature.

    Raises:
        ModelInvalid: there is no such output, or the labels are not as many as its classes.
    """
    outputs = signature.outputs
    if len(outputs) != 1 or not is_number(outputs[0]) or not _is_grid(outputs[0].shape):
        raise misfit("segmentation", _WANTED, outputs)
    kind = _kind(options.output, outputs[0])
    several = outputs[0].shape[3:] not in ((), (1,))
    if several != (kind == "scores"):
        raise misfit(f"segmentation of {kind}", _WANTED, outputs)
    if kind != "classes":  # an index says nothing of how many there are
        check_labels(labels, outputs[0].shape[3] if several else 2, "segmentation")
    return SegmentationDecoder(options, kind, outputs[0], labels)


def _is_grid(shape: tuple[int, ...]) -> bool:
    return len(shape) in (3, 4) and shape[0] == 1 and min(shape) >= 1


def _kind(told: Kind, output: TensorSpec) -> Kind:
    if told != "auto":
        return told
    if output.shape[3:] not in ((), (1,)):
        return "scores"
    plain = np.dtype(output.dtype).kind in "iu" and not is_quantized(output)
    return "classes" if plain else "binary"


class _Map(NamedTuple):
    """What each cell of the grid is: its class, int64, -1 for none; and its score, float32."""

    classes: Array
    scores: Array


class SegmentationDecoder:
    """Items are the classes that are there, the largest first.

    They are {"label", "index", "score", "share", "box", "mask"}: the mean score of its cells (1 where the
    model gives none), its share of the frame's area, what holds all its cells, and its mask as
    ``agent.imaging.masks`` has it.
    """

    def __init__(self, options: Options, kind: Kind, output: TensorSpec, labels: Labels) -> None:
        self._options = options
        self._kind = kind
        self._output = Output((output,), 0)
        self._labels = labels
        self._logits: Literal["softmax", "sigmoid"] = "softmax" if kind == "scores" else "sigmoid"
        self._activation = settled(options.activation, output, self._logits)

    def decode(
        self,
        outputs: Sequence[Array],
        frame: FrameInfo,  # noqa: ARG002 - the seam has it
        inputs: Sequence[Array] = (),  # noqa: ARG002 - the seam has it
    ) -> Result:
        """Read one frame's output.

        Raises:
            InputRejected: no cell has a finite number.
        """
        grid = self._options.grid
        stored = self._output.stored(outputs)
        whole = stored if stored.ndim == 4 else stored[..., np.newaxis]
        while True:
            items = self._items(self._map(whole[0][_thinned(whole.shape[1:3], grid)]))
            if sum(len(item["mask"]["counts"]) for item in items) <= _MOST_RUNS:
                return Result("segmentation", tuple(items))
            grid //= 2

    def _map(self, cells: Array) -> _Map:
        """Say of each cell of (rows, columns, channels), still quantized, what it is."""
        values = self._output.real(cells)
        finite = np.isfinite(values)
        known = finite.any(axis=2)
        if not known.any():
            problem = f"none of its {known.size} cells has a finite number"
            raise garbage(self._output.spec.name, problem)
        if self._kind == "classes":
            good = known & (values[..., 0] >= 0) & (values[..., 0] < MAX_LABELS)
            classes = np.where(good, values[..., 0], -1).round().astype(np.int64)
            return _Map(classes, np.ones(classes.shape, np.float32))
        scores = activate(self._activation, values, finite, self._logits)
        if self._kind == "binary":
            one = scores[..., 0]
            classes = np.where(known, (one >= _HALF).astype(np.int64), -1)
            return _Map(classes, np.where(classes == 1, one, 1 - one))
        classes = np.where(finite, values, -np.inf).argmax(axis=2)
        best = np.take_along_axis(scores, classes[..., np.newaxis], axis=2)[..., 0]
        return _Map(np.where(known, classes, -1), best)

    def _items(self, found: _Map) -> list[dict[str, Any]]:
        present, counts = np.unique(found.classes, return_counts=True)
        least = self._options.min_share * found.classes.size
        pairs = [
            (count, index)
            for index, count in zip(present.tolist(), counts.tolist(), strict=True)
            if index >= (not self._options.background) and count >= least
        ]
        largest = sorted(pairs, key=lambda pair: (-pair[0], pair[1]))[: self._options.max_items]
        return [self._item(index, found.classes == index, found.scores) for _, index in largest]

    def _item(self, index: int, mask: Array, scores: Array) -> dict[str, Any]:
        rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        (tall, wide), (top, left) = mask.shape, (rows[0], columns[0])
        box = top / tall, left / wide, (rows[-1] + 1) / tall, (columns[-1] + 1) / wide
        return {
            "label": self._labels.name(index),
            "index": index,
            "score": round(float(scores[mask].mean(dtype=np.float64)), _DIGITS),
            "share": round(float(mask.mean()), _DIGITS),
            "box": [round(float(edge), _DIGITS) for edge in box],
            "mask": masks.encode(mask),
        }


def _thinned(sides: tuple[int, ...], most: int) -> tuple[Array, Array]:
    """Give the rows and columns, to index with, that stand for the whole: evenly apart, at most so many."""
    rows, columns = (_middles(side, most) for side in sides)
    return np.ix_(rows, columns)  # type: ignore[return-value]


def _middles(side: int, most: int) -> Array:
    blocks = -(-side // -(-side // most))
    middles: Array = ((np.arange(blocks) + 0.5) * side / blocks).astype(np.intp)
    return middles
