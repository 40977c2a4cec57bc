"""Boxes that correct anchors: how the heads ``ssd_raw`` and ``efficientdet`` are read.

Row n of the encodings corrects anchor n, and row n of the scores says what is in it. With an anchor's
centre y, x, height h and width w the encodings mean ("Faster R-CNN", Ren et al., 2015; MediaPipe's
``TensorsToDetectionsCalculator`` for BlazeFace):

- ``ssd``: (ty, tx, th, tw) is the box of centre y + ty / scale * h, x + tx / scale * w, height h * exp(th /
  scale) and width w * exp(tw / scale);
- ``blazeface``: (tx, ty, tw, th, ...) is that of centre y + ty / scale * h, x + tx / scale * w, height th /
  scale * h and width tw / scale * w; keypoints that follow are not read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from agent.decoders._output import Output
from agent.decoders.heads.boxes import Detections, corners
from agent.decoders.heads.candidates import Candidates, find_rows
from agent.decoders.heads.nms import settle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.decoders.heads.options import Options
    from agent.types import Array, TensorSpec

_BLAZEFACE = (1, 0, 3, 2)
_LONG = 50.0
"""Of this a length's logarithm is cut, lest it be infinite: so far the picture ends at any rate."""


class Roles(NamedTuple):
    """Which output is which, by position: scores and boxes of each grid, or of all in one."""

    scores: tuple[int, ...]
    boxes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Coding:
    """What the numbers mean.

    Attributes:
        anchors: float32 (N, 4): centre y, centre x, height and width in shares.
        classes: how many scores a row has.
        first: the first of them that counts.
        numbers: how many numbers a row of the boxes has.
        scales: what y, x, height and width were multiplied by.
        linear: whether the encoding is that of BlazeFace.
    """

    anchors: Array
    classes: int
    first: int = 0
    numbers: int = 4
    scales: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0)
    linear: bool = False

    def boxes(self, encodings: Array, rows: Array) -> Array:
        """Correct the anchors ``rows`` by encodings (K, 4): ymin, xmin, ymax, xmax as shares, float64."""
        anchors = self.anchors[rows]
        lengths = anchors[:, 2:]
        numbers = encodings.astype(np.float64)
        numbers[~np.isfinite(numbers).all(axis=1)] = np.nan  # no infinity shall become finite below
        if self.linear:
            numbers = numbers[:, _BLAZEFACE]
        numbers /= self.scales
        numbers[:, :2] = numbers[:, :2] * lengths + anchors[:, :2]
        numbers[:, 2:] = lengths * (numbers[:, 2:] if self.linear else np.exp(numbers[:, 2:].clip(max=_LONG)))
        return corners(numbers)


class AnchoredHead:
    """Decodes the boxes of the rows that score enough."""

    def __init__(self, outputs: Sequence[TensorSpec], roles: Roles, options: Options, coding: Coding) -> None:
        self._scores = [Output(outputs, at) for at in roles.scores]
        self._boxes = [Output(outputs, at) for at in roles.boxes]
        self._options = options
        self._coding = coding

    def detections(self, outputs: Sequence[Array]) -> Detections:
        """Give at most ``max_items`` detections, the best first.

        Raises:
            InputRejected: no score is finite, or no box of those that score enough.
        """
        found = self._scored(outputs).best()
        encodings = self._encodings(outputs, found.rows)
        boxes = self._coding.boxes(encodings, found.rows)
        return settle(Detections(boxes, found.scores, found.classes), self._options, self._boxes[0].spec)

    def _scored(self, outputs: Sequence[Array]) -> Candidates:
        grids = []
        start = 0
        for output in self._scores:
            part = output.stored(outputs).reshape(-1, self._coding.classes)
            found = find_rows(
                output,
                part,
                self._options.min_score,
                self._options.activation,
                first=self._coding.first,
            )
            grids.append(found._replace(rows=found.rows + start))
            start += len(part)
        return Candidates(*(np.concatenate(parts) for parts in zip(*grids, strict=True)))

    def _encodings(self, outputs: Sequence[Array], rows: Array) -> Array:
        """Give the encodings of these rows: float32 (K, 4)."""
        encodings = np.empty((len(rows), 4), np.float32)
        start = 0
        for output in self._boxes:
            part = output.stored(outputs).reshape(-1, self._coding.numbers)
            here = (rows >= start) & (rows < start + len(part))
            encodings[here] = output.real(part[rows[here] - start, :4])
            start += len(part)
        return encodings
