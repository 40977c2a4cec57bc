"""What filters read from items, and how they give a result on; items may be of any decoder."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from agent.errors import InputRejected

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.types import Array, JsonValue, Result

    Item = Mapping[str, JsonValue]
    Event = dict[str, JsonValue]

At = Literal["bottom", "centre"]
"""Which point of a box stands for its object: the middle of its lower side, or its middle."""
SECOND_NS = 1_000_000_000
_FARTHEST = 100.0
"""No box reaches farther, in frames: what does is no share of one."""


def boxes_of(op: str, items: Sequence[Item]) -> tuple[list[int], Array]:
    """Give the places of the items that have a box, and the boxes: float64 (N, 4), ymin, xmin, ymax, xmax.

    Raises:
        InputRejected: a box is not four numbers, or they are no shares of a frame.
    """
    where = [place for place, item in enumerate(items) if "box" in item]
    if not where:
        return where, np.empty((0, 4))
    try:
        boxes = np.array([items[place]["box"] for place in where], np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise _no_box(op) from error
    if boxes.shape != (len(where), 4) or not -_FARTHEST <= boxes.min() <= boxes.max() <= _FARTHEST:
        raise _no_box(op)  # a NaN is neither of these
    if (boxes[:, :2] > boxes[:, 2:]).any():
        raise _no_box(op)
    return where, boxes


def _no_box(op: str) -> InputRejected:
    wanted = "it is not ymin, xmin, ymax, xmax as shares of the frame"
    return InputRejected(op, "box", wanted, "Check the decoder that made it")


def scores_of(op: str, items: Sequence[Item]) -> Array:
    """Give the score of each item, 1 where it has none: float64 (N,).

    Raises:
        InputRejected: a score is no number.
    """
    try:
        scores = np.array([item.get("score", 1.0) for item in items], np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise _no_score(op) from error
    if scores.shape != (len(items),):
        raise _no_score(op)
    return scores


def _no_score(op: str) -> InputRejected:
    return InputRejected(op, "score", "it is no number", "Check the decoder that made it")


def anchors_of(boxes: Array, at: At) -> Array:
    """Give the point of each box that stands for its object: (N, 2), x and y."""
    across = (boxes[:, 1] + boxes[:, 3]) / 2
    down = boxes[:, 2] if at == "bottom" else (boxes[:, 0] + boxes[:, 2]) / 2
    return np.column_stack([across, down])


def label_of(item: Item) -> str | None:
    """Give the item's label; None where it has none."""
    label = item.get("label")
    return label if isinstance(label, str) else None


def labels_of(items: Sequence[Item]) -> list[str | None]:
    """Give the label of each item, None where it has none."""
    return [label if isinstance(label := item.get("label"), str) else None for item in items]


def track_of(item: Item) -> int | None:
    """Give the item's track; None where it has none."""
    track = item.get("track")
    return track if type(track) is int else None


def zones_of(item: Item) -> tuple[str, ...]:
    """Give the names of the zones that the item is in."""
    zones = item.get("zones")
    return tuple(zone for zone in zones if isinstance(zone, str)) if isinstance(zones, list | tuple) else ()


def number_of(item: Item, key: str) -> float | None:
    """Give a finite number of the item; None where there is none."""
    value = item.get(key)
    if not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def wanted(item: Item, labels: Sequence[str]) -> bool:
    """Whether the item's label is one of these; all are without any."""
    return not labels or label_of(item) in labels


def about(name: str, item: Item, **more: Any) -> Event:
    """Make an event that says what it is of: the item's label and track, where it has them."""
    event: Event = {"event": name, **more}
    if (label := label_of(item)) is not None:
        event["label"] = label
    if (track := track_of(item)) is not None:
        event["track"] = track
    return event


def going_on(result: Result, items: Sequence[Item], events: Sequence[Event] = ()) -> Result:
    """Give the result with these items, and with events after those that it carries."""
    return replace(result, items=tuple(items), events=(*result.events, *events))
