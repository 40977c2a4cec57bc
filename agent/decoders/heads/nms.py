"""Non-maximum suppression: of detections that overlap, the best one stays.

It is greedy, as everywhere: the best detection stays, what overlaps it by more than ``iou`` (intersection
over union) goes, then the next best that is left. Where there are few pairs of one class these are compared,
else block by block, so that there is never a matrix of all pairs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agent.decoders._fit import garbage

if TYPE_CHECKING:
    from agent.decoders.heads.boxes import Detections
    from agent.decoders.heads.options import Options
    from agent.types import Array, TensorSpec

_BLOCK = 128
_MOST_PAIRS = 2048
"""So many pairs of one class are compared one by one; with more, blocks are quicker."""


def settle(found: Detections, options: Options, output: TensorSpec) -> Detections:
    """Give at most ``max_items`` of the detections, the best first, clipped to the picture and apart.

    Args:
        found: the best first.
        options: how many, and how far apart.
        output: where the boxes came from, for the error.

    Raises:
        InputRejected: there are detections, and none has finite numbers.
    """
    finite = found.finite()
    if finite.size and not finite.any():
        raise garbage(output.name, f"none of the boxes of its {finite.size} detections is finite")
    found = found._replace(boxes=found.boxes.clip(0, 1).astype(np.float32))
    found = found.only(finite & (areas(found.boxes) > 0))
    classes = None if options.class_agnostic else found.classes
    return found.only(apart(found.boxes, classes, options.iou, options.max_items))


def apart(boxes: Array, classes: Array | None, iou: float, most: int) -> Array:
    """Give the indices of the boxes that stay, rising.

    Args:
        boxes: float32 (N, 4): ymin, xmin, ymax, xmax; the best first.
        classes: (N,): only boxes of one class compete; None: all do.
        iou: what a box may share with a better one.
        most: how many stay at most.
    """
    sides = np.empty((5, len(boxes)), np.float32)
    sides[:4] = boxes.T
    # More than iou is shared when (1 + iou) * common > iou * (both areas): the factors are put in here.
    sides[0:4:2] *= np.float32(1 + iou)
    sides[4] = areas(boxes) * np.float32(iou)
    pairs = None if classes is None else _rivals(classes)
    if pairs is not None:
        return _of_pairs(sides, *pairs)[:most]
    kept = np.empty(0, np.intp)
    for start in range(0, len(boxes), _BLOCK):
        fresh = np.arange(start, min(start + _BLOCK, len(boxes)))
        if kept.size:
            fresh = fresh[~_overlaps(sides, classes, kept, fresh).any(axis=0)]
        kept = np.concatenate((kept, fresh[_greedy(_overlaps(sides, classes, fresh, fresh))]))
        if kept.size >= most:
            break
    return kept[:most]


def areas(boxes: Array) -> Array:
    """Give the area of each box: (N,), 0 where it is inside out."""
    height, width = (boxes[:, 2:] - boxes[:, :2]).clip(0).T
    found: Array = height * width
    return found


def _rivals(classes: Array) -> tuple[Array, Array] | None:
    """Give all pairs of one class, the better one first; None where they are many."""
    order = np.argsort(classes, kind="stable")
    ordered = classes[order]
    places = np.arange(len(classes))
    later = np.searchsorted(ordered, ordered, side="right") - places - 1
    total = int(later.sum())
    if total > _MOST_PAIRS:
        return None
    ones = np.repeat(places, later)
    others = np.arange(total) - np.repeat(np.cumsum(later) - later, later) + ones + 1
    return order[ones], order[others]


def _of_pairs(sides: Array, ones: Array, others: Array) -> Array:
    """Give the indices that stay when only these pairs compete, rising."""
    marked = _too_near(sides[:, ones], sides[:, others])
    stays = [True] * sides.shape[1]
    for one, other in zip(ones[marked].tolist(), others[marked].tolist(), strict=True):
        if stays[one]:  # settled: all pairs with a better one came before
            stays[other] = False
    return np.flatnonzero(stays)


def _overlaps(sides: Array, classes: Array | None, ones: Array, others: Array) -> Array:
    """Mark which of ``ones`` shares too much with which of ``others``: bool (ones, others)."""
    marked = _too_near(sides[:, ones, np.newaxis], sides[:, others])
    if classes is not None:
        marked &= classes[ones, np.newaxis] == classes[others]
    return marked


def _too_near(one: Array, other: Array) -> Array:
    """Mark which boxes share too much, of two arrays of sides whose shapes go together."""
    top, left, bottom, right, bar = one
    tops, lefts, bottoms, rights, bars = other
    common = np.minimum(bottom, bottoms)
    common -= np.maximum(top, tops)
    np.maximum(common, 0, out=common)
    width = np.minimum(right, rights)
    width -= np.maximum(left, lefts)
    common *= width  # below 0 where they lie side by side, and no bar is
    marked: Array = common > bar + bars
    return marked


def _greedy(overlaps: Array) -> list[int]:
    """Give which of N stay, when each that stays rules out what it is marked with: bool (N, N)."""
    packed = np.packbits(overlaps, axis=1, bitorder="little")
    width, rows = packed.shape[1], packed.tobytes()
    gone, kept = 0, []
    for at in range(len(overlaps)):  # a number's bits in place of an array: each step is a fraction of a call
        if not gone >> at & 1:
            kept.append(at)
            gone |= int.from_bytes(rows[at * width : (at + 1) * width], "little")
    return kept
