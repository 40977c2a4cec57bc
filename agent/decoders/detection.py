"""Detection: boxes with a class and a score, from whichever head the model has.

- ``ssd``: the four outputs of a postprocessing operator;
- ``centers``: two grids, of scores and of boxes;
- ``ssd_raw``, ``efficientdet``: boxes that correct anchors;
- ``yolov5``, ``yolov8``, ``yolov10``: rows of boxes and scores, or raw maps.

Each is a module of ``heads``. The outputs' shapes say which it is, unless an option names it, see
``heads.choosing``. Where the model has not done so itself, the decoder leaves out what overlaps a better
detection, see ``heads.nms``.

What else is left out: a detection with a number that is NaN or infinite, whose class is no index, or whose
box has no area within the picture; boxes and scores are clipped to [0, 1]. A frame whose outputs hold no
finite numbers where detections should be is rejected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agent.decoders.heads.choosing import choose
from agent.decoders.heads.options import Options
from agent.labels import MAX_LABELS
from agent.types import Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.decoders.heads.boxes import Head
    from agent.labels import Labels
    from agent.types import Array, FrameInfo, Signature

__all__ = ["DetectionDecoder", "Options", "build"]

_DIGITS = 6
ROLES = ("boxes", "classes", "scores", "count")
"""Of a head with a postprocessing operator; other heads tell their outputs by the shapes."""


def build(options: Options, signature: Signature, labels: Labels) -> DetectionDecoder:
    """Make the decoder for a model of this signature.

    Raises:
        ModelInvalid: the outputs are no head that is known or may be several, or labels or anchors don't fit.
    """
    return DetectionDecoder(options, choose(options, signature, labels), labels)


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
        found = self._head.detections(outputs)
        table = np.empty((len(found.scores), 6), np.float64)
        table[:, :4], table[:, 4], table[:, 5] = found
        table[:, :5] = table[:, :5].clip(0, 1).round(_DIGITS) + 0.0  # the sum makes -0.0 a plain zero
        good = (table[:, 0] < table[:, 2]) & (table[:, 1] < table[:, 3])
        good &= (table[:, 5] >= 0) & (table[:, 5] < MAX_LABELS)
        table = table[good & (table[:, 4] >= self._options.min_score)]
        best = np.argsort(-table[:, 4], kind="stable")[: self._options.max_items]
        name = self._labels.name
        items = [
            {"label": name(index), "index": index, "score": row[4], "box": row[:4]}
            for row in table[best].tolist()
            for index in (int(row[5]),)
        ]
        return Result("detection", tuple(items))
