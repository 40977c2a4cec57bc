"""SSD without its postprocessing: encodings of boxes (1, N, 4), and scores (1, N, classes).

The options say how the N anchors are made, see ``anchors``, and what the numbers mean, see ``anchored``.
Boxes of more than four numbers, as BlazeFace's 16, go on with keypoints, and have one score. Which output
is which is told by the last dimension; where there are four classes by the names, when they say "box" or
"score", else the boxes come first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.decoders._fit import check_labels
from agent.decoders.heads.anchored import AnchoredHead, Coding, Roles
from agent.decoders.heads.anchors import count_ssd, ssd
from agent.decoders.heads.boxes import Fit, input_size
from agent.errors import ModelInvalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.decoders.heads.boxes import Head
    from agent.decoders.heads.options import Options
    from agent.labels import Labels
    from agent.types import Signature, TensorSpec

WANTED = "two outputs, boxes [1, N, 4] and scores [1, N, classes], of a picture's N anchors"


def find_roles(outputs: Sequence[TensorSpec]) -> Roles | None:
    """Tell the two outputs apart, or give None when they are something else."""
    if len(outputs) != 2 or any(len(spec.shape) != 3 or min(spec.shape) < 1 for spec in outputs):
        return None
    first, second = (spec.shape for spec in outputs)
    if first[:2] != second[:2] or first[0] != 1:
        return None
    numbers = (first[2], second[2])
    boxes = numbers.index(4) if numbers.count(4) == 1 else _named([spec.name.lower() for spec in outputs])
    if boxes is None:
        boxes = numbers.index(max(numbers)) if 1 in numbers else 0
    if numbers[boxes] < 4 or not {1, 4} & {*numbers}:
        return None
    return Roles((1 - boxes,), (boxes,))


def fit(options: Options, signature: Signature) -> Fit:
    """Say whether the outputs are of this head: sure when there are as many anchors as rows."""
    roles = find_roles(signature.outputs)
    size = input_size(signature)
    if roles is None:
        return Fit.NO
    rows = signature.outputs[roles.boxes[0]].shape[1]
    return Fit.SURE if size and count_ssd(options.anchors, size) == rows else Fit.MAYBE


def find(options: Options, signature: Signature, labels: Labels) -> Head | None:
    """Make the head; give None where the outputs are of no such kind.

    Raises:
        ModelInvalid: the model takes no picture, or has another number of anchors, or of labels.
    """
    roles = find_roles(signature.outputs)
    size = input_size(signature)
    if roles is None or size is None:
        return None
    _, rows, numbers = signature.outputs[roles.boxes[0]].shape
    classes = signature.outputs[roles.scores[0]].shape[2]
    count = count_ssd(options.anchors, size)
    if count != rows:
        raise ModelInvalid(
            "decode as",
            "detection",
            f"the options make {count} anchors for an input of {size[0]}x{size[1]}, the model has {rows}",
            "Set the decoder's anchors as the model was trained, or name another head",
        )
    first = int(options.background and classes > 1)
    check_labels(labels, classes - first, "detection")
    coding = Coding(
        ssd(options.anchors, size),
        classes,
        first,
        numbers,
        options.scales or _scales(options, size),
        options.encoding == "blazeface",
    )
    return AnchoredHead(signature.outputs, roles, options, coding)


def _scales(options: Options, size: tuple[int, int]) -> tuple[float, float, float, float]:
    return (*size, *size) if options.encoding == "blazeface" else (10.0, 10.0, 5.0, 5.0)


def _named(names: list[str]) -> int | None:
    """Give which one the names say is the boxes."""
    for words, wanted in ((("box", "regressor"), True), (("score", "class"), False)):
        said = [any(word in name for word in words) for name in names]
        if said[0] != said[1]:
            return said.index(wanted)
    return None
