"""EfficientDet without its postprocessing: scores and encodings of boxes for the anchors of levels 3 to 7.

There are ten outputs, for each level scores (1, rows, columns, 9 * classes) and boxes (1, rows, columns, 9
* 4), or two, with the anchors of all levels in a row, (1, N, classes) and (1, N, 4). The encodings are (ty,
tx, th, tw) of ``anchored``, without scales; no class is the background.

EfficientDet-Lite's files mostly have their postprocessing, and are of the head ``ssd``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.decoders._fit import check_labels
from agent.decoders.heads import ssd_raw
from agent.decoders.heads.anchored import AnchoredHead, Coding, Roles
from agent.decoders.heads.anchors import LEVELS, PER_CELL, count_efficientdet, efficientdet
from agent.decoders.heads.boxes import Fit, cells, input_size

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.decoders.heads.boxes import Head, Size
    from agent.decoders.heads.options import Options
    from agent.labels import Labels
    from agent.types import Signature, TensorSpec

WANTED = (
    "scores [1, rows, columns, 9 * classes] and boxes [1, rows, columns, 36] of levels 3 to 7,"
    " or [1, N, classes] and [1, N, 4] of all"
)


def find_roles(outputs: Sequence[TensorSpec], size: Size) -> Roles | None:
    """Tell the outputs apart for a picture of this size, or give None when they are something else."""
    if len(outputs) == 2:
        roles = ssd_raw.find_roles(outputs)
        fitting = roles and outputs[roles.boxes[0]].shape[1:] == (count_efficientdet(size), 4)
        return roles if fitting else None
    if len(outputs) != 2 * len(LEVELS):
        return None
    pairs = [_pair(outputs, grid) for grid in cells(size, LEVELS)]
    known = [pair for pair in pairs if pair is not None]
    classes = {outputs[scores].shape[3] for scores, _ in known}
    if len(known) != len(LEVELS) or len(classes) != 1 or classes.pop() % PER_CELL:
        return None
    return Roles(tuple(scores for scores, _ in known), tuple(boxes for _, boxes in known))


def _pair(outputs: Sequence[TensorSpec], grid: Size) -> tuple[int, int] | None:
    """Give which outputs are scores and boxes of a grid."""
    here = [at for at, spec in enumerate(outputs) if spec.shape[:3] == (1, *grid) and len(spec.shape) == 4]
    if len(here) != 2:
        return None
    one, other = here
    numbers = 4 * PER_CELL
    if outputs[other].shape[3] == numbers != outputs[one].shape[3]:
        return one, other
    if outputs[one].shape[3] == numbers != outputs[other].shape[3] or "box" in outputs[one].name.lower():
        return other, one
    return (one, other) if outputs[other].shape[3] == numbers else None


def fit(options: Options, signature: Signature) -> Fit:  # noqa: ARG001 - every head has it
    """Say whether the outputs are of this head: sure when there are as many anchors as rows."""
    size = input_size(signature)
    return Fit.SURE if size and find_roles(signature.outputs, size) else Fit.NO


def find(options: Options, signature: Signature, labels: Labels) -> Head | None:
    """Make the head; give None where the outputs are of no such kind.

    Raises:
        ModelInvalid: the labels are not as many as the classes.
    """
    size = input_size(signature)
    roles = find_roles(signature.outputs, size) if size else None
    if size is None or roles is None:
        return None
    scores = signature.outputs[roles.scores[0]].shape
    classes = scores[-1] // PER_CELL if len(scores) == 4 else scores[-1]
    check_labels(labels, classes, "detection")
    coding = Coding(efficientdet(options.anchors.scale, size), classes)
    return AnchoredHead(signature.outputs, roles, options, coding)
