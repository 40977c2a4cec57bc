"""Tracks: which item is the same object as one before; adds ``track`` to items with a box.

SORT (A. Bewley et al., ICIP 2016): a box's way is predicted, and boxes go to the tracks of their label that
they overlap most. Boxes with a low score go on with tracks that found no other (ByteTrack, Y. Zhang et al.,
ECCV 2022), and begin none. Time is that of the frames, which may come at any distance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from agent.filters._assign import assign, overlaps
from agent.filters._items import SECOND_NS, boxes_of, going_on, labels_of, scores_of
from agent.filters._kalman import Kalman

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.filters._items import Item
    from agent.types import Array, FrameInfo, Result

_MOST = 256
"""Tracks at most; what was lost longest goes first."""
_LABELS = 1024
"""Labels that are remembered at most, beside those of tracks."""
_FARTHEST_NS = 3600 * SECOND_NS
"""No prediction goes farther; every track is lost by then."""


class Options(BaseModel):
    """When a track begins, goes on and ends."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    start_score: float = Field(
        default=0.5, ge=0, le=1, description="items below this score go on with tracks, and begin none"
    )
    iou: float = Field(
        default=0.3, gt=0, le=1, description="the least overlap of an item with where its track is expected"
    )
    reach: float = Field(
        default=0.0,
        ge=0,
        le=4,
        description="widens boxes by this share of their size on every side before they are compared",
    )
    min_hits: int = Field(
        default=2, ge=1, le=100, description="a track is told once it was seen in so many results on end"
    )
    keep_s: float = Field(
        default=1.0, ge=0, le=600, description="a track that was lost for longer is over, seconds"
    )
    tracked_only: bool = Field(default=False, description="leave out items with a box that have no track yet")


def build(options: Options) -> Track:
    """Make the filter."""
    return Track(options)


class Track:
    """Implements ``Filter``. Tracks are numbered from 1 in the order in which they are told first."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._keep_ns = int(options.keep_s * SECOND_NS)
        self._kalman = Kalman()
        # Of each track, in the order of the Kalman filter: what stands for its label, its number (0: not told
        # yet), in how many results it was, when it was seen last.
        self._labels = np.zeros(0, np.int64)
        self._numbers = np.zeros(0, np.int64)
        self._hits = np.zeros(0, np.int64)
        self._seen_ns = np.zeros(0, np.int64)
        self._codes: dict[str | None, int] = {}
        self._coded = 0
        self._told = 0
        self._now_ns = 0

    def __len__(self) -> int:
        return len(self._numbers)

    def apply(self, result: Result, frame: FrameInfo) -> Result:
        """Give each item with a box the number of its track.

        Raises:
            InputRejected: a box is not one.
        """
        where, boxes = boxes_of("track", result.items)
        self._move_on(frame.captured_ns)
        numbers = self._numbered([result.items[place] for place in where], boxes)
        items = list(result.items)
        for place, number in zip(where, numbers.tolist(), strict=True):
            if number:
                items[place] = {**items[place], "track": number}
        if self._options.tracked_only:
            items = [item for item in items if "track" in item or "box" not in item]
        return going_on(result, items)

    def _move_on(self, now_ns: int) -> None:
        """Predict where all are now; end those that were lost for too long."""
        before, self._now_ns = self._now_ns, max(now_ns, self._now_ns)
        # Of what was there in the last result nobody can say that it was lost, however long ago that was.
        lost = (self._seen_ns < before) & (self._now_ns - self._seen_ns > self._keep_ns)
        if lost.any():
            self._keep(~lost)
        self._kalman.predict(min(self._now_ns - before, _FARTHEST_NS) / SECOND_NS)

    def _numbered(self, items: Sequence[Item], boxes: Array) -> Array:
        """Give the track of each item, 0 for none: int64 (N,)."""
        labels = self._coded_labels(items)
        strong = scores_of("track", items) >= self._options.start_score
        rows = self._matched(boxes, labels, strong)
        found = np.flatnonzero(rows >= 0)
        goes_on = rows[found]
        self._kalman.correct(goes_on, boxes[found])
        self._hits[goes_on] += 1
        self._seen_ns[goes_on] = self._now_ns
        rows = self._without_false_starts(rows)
        fresh = np.flatnonzero((rows < 0) & strong)
        if len(fresh):
            rows[fresh] = np.arange(len(fresh)) + len(self)
            self._begin(boxes[fresh], labels[fresh])
            rows = self._bounded(rows)
        return self._tell(rows)

    def _matched(self, boxes: Array, labels: Array, strong: Array) -> Array:
        """Give the track of each item as a row, -1 for none: those of high scores choose first."""
        found = np.full(len(boxes), -1)
        pairs = overlaps(self._kalman.boxes(), boxes, self._options.reach)
        fits = (pairs.shares >= self._options.iou) & (self._labels[pairs.rows] == labels[pairs.columns])
        free = np.ones(len(self), bool)
        for which in (strong, ~strong):
            if not which.any():
                continue
            chosen = assign(pairs.only(fits & which[pairs.columns] & free[pairs.rows]))
            found[chosen.columns] = chosen.rows
            free[chosen.rows] = False
        return found

    def _without_false_starts(self, rows: Array) -> Array:
        """End what was not seen again before it was told; give the items' rows without them."""
        unseen = self._seen_ns < self._now_ns
        if not unseen.any():
            return rows
        self._kalman.hold_sizes(np.flatnonzero(unseen))
        return self._moved(rows, ~(unseen & (self._numbers == 0)))

    def _begin(self, boxes: Array, labels: Array) -> None:
        count = len(boxes)
        self._kalman.add(boxes)
        self._labels = np.concatenate([self._labels, labels])
        self._numbers = np.concatenate([self._numbers, np.zeros(count, np.int64)])
        self._hits = np.concatenate([self._hits, np.ones(count, np.int64)])
        self._seen_ns = np.concatenate([self._seen_ns, np.full(count, self._now_ns, np.int64)])

    def _bounded(self, rows: Array) -> Array:
        """End what was lost longest, where there are too many."""
        if len(self) <= _MOST:
            return rows
        stay = np.zeros(len(self), bool)
        stay[np.argsort(-self._seen_ns, kind="stable")[:_MOST]] = True
        return self._moved(rows, stay)

    def _tell(self, rows: Array) -> Array:
        """Number the tracks that were seen often enough; give the number of each item."""
        due = (self._numbers == 0) & (self._hits >= self._options.min_hits)
        if due.any():
            self._numbers[due] = self._told + 1 + np.arange(due.sum())
            self._told += int(due.sum())
        found: Array = np.append(self._numbers, 0)[rows]  # row -1, for no track, is the 0
        return found

    def _moved(self, rows: Array, stay: Array) -> Array:
        """Keep a mask of the tracks; give the items' rows as they are then."""
        if stay.all():
            return rows
        moved = np.append(np.where(stay, np.cumsum(stay) - 1, -1), -1)[rows]
        self._keep(stay)
        return moved

    def _keep(self, which: Array) -> None:
        """End all tracks but those of a mask."""
        self._kalman.keep(which)
        self._labels, self._numbers = self._labels[which], self._numbers[which]
        self._hits, self._seen_ns = self._hits[which], self._seen_ns[which]

    def _coded_labels(self, items: Sequence[Item]) -> Array:
        """Give a number for the label of each item, the same as long as a track has it."""
        labels = labels_of(items)
        if len(self._codes) > _LABELS:
            used = set(self._labels.tolist())
            self._codes = {name: code for name, code in self._codes.items() if code in used}
        for new in set(labels) - self._codes.keys():
            self._coded += 1
            self._codes[new] = self._coded
        return np.array([self._codes[label] for label in labels], np.int64)
