"""How good a detector is: average precision, as PASCAL VOC measures it since 2010."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.types import Array

Box = tuple[float, float, float, float]
"""Top, left, bottom, right, in any unit."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """An object that is in a picture; finding a ``difficult`` one is neither demanded nor punished."""

    label: str
    box: Box
    difficult: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A detection."""

    label: str
    box: Box
    score: float


@dataclass(frozen=True, slots=True)
class Picture:
    """What is in one picture, and what was found there."""

    wanted: Sequence[Wanted]
    found: Sequence[Found]


def overlap(one: Box, other: Box) -> float:
    """Give the intersection over union of two boxes; 0 where both are empty."""
    height = min(one[2], other[2]) - max(one[0], other[0])
    width = min(one[3], other[3]) - max(one[1], other[1])
    common = max(height, 0.0) * max(width, 0.0)
    union = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)) - common
    return common / union if union > 0 else 0.0


def mean_average_precision(pictures: Sequence[Picture], iou: float = 0.5) -> float:
    """Give the mean of the average precision of every label that is demanded anywhere; NaN if none is."""
    labels = {one.label for picture in pictures for one in picture.wanted if not one.difficult}
    values = [average_precision(pictures, label, iou) for label in sorted(labels)]
    return float(np.mean(values)) if values else float("nan")


def average_precision(pictures: Sequence[Picture], label: str, iou: float = 0.5) -> float:
    """Give the area under the curve of precision over recall, which is first made to fall only.

    Each detection, the best first, takes the object of its label that it overlaps most, as in VOC's own tool:
    it is right when the overlap is at least ``iou`` and the object is not taken yet, and does not count when
    that object is difficult.
    """
    right, demanded = _judged(pictures, label, iou)
    if not demanded:
        return float("nan")
    hits = np.cumsum(right)
    recall = hits / demanded
    precision = hits / np.arange(1, len(right) + 1)
    falling = np.maximum.accumulate(precision[::-1])[::-1]
    return float((np.diff(recall, prepend=0.0) * falling).sum())


def precision_and_recall(pictures: Sequence[Picture], iou: float = 0.5) -> tuple[float, float]:
    """Give the share of right detections, and of demanded objects found, over all labels together."""
    labels = {one.label for picture in pictures for one in picture.wanted}
    labels |= {one.label for picture in pictures for one in picture.found}
    judged = [_judged(pictures, label, iou) for label in sorted(labels)]
    hits, claims = (sum(int(part(right)) for right, _ in judged) for part in (np.sum, np.size))
    demanded = sum(count for _, count in judged)
    return hits / claims if claims else float("nan"), hits / demanded if demanded else float("nan")


def _judged(pictures: Sequence[Picture], label: str, iou: float) -> tuple[Array, int]:
    """Say of each detection that counts whether it is right, the best first; and how many there should be."""
    there = [[one for one in picture.wanted if one.label == label] for picture in pictures]
    taken = [[False] * len(wanted) for wanted in there]
    claims = [
        (found.score, number, found.box)
        for number, picture in enumerate(pictures)
        for found in picture.found
        if found.label == label
    ]
    right = []
    for _, number, box in sorted(claims, key=lambda claim: -claim[0]):
        shares = [overlap(box, one.box) for one in there[number]]
        best = int(np.argmax(shares)) if shares else -1
        if best < 0 or shares[best] < iou:
            right.append(False)
        elif not there[number][best].difficult:
            right.append(not taken[number][best])
            taken[number][best] = True
    return np.array(right, bool), sum(not one.difficult for wanted in there for one in wanted)
