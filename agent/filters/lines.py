"""Lines: says which tracks cross a line, in which direction: event ``line.crossed``, with counts so far.

A track is on a side of a line once the point that stands for it is farther than ``margin`` away from it;
going over to the other side through the line, and not round its ends, is a crossing. So one that stands on
the line, with a box that trembles, crosses it once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from agent.filters._items import SECOND_NS, At, about, anchors_of, boxes_of, going_on, track_of, wanted
from agent.filters._memory import Memory
from agent.filters._places import Line, unique

if TYPE_CHECKING:
    from agent.filters._items import Event, Item
    from agent.types import Array, FrameInfo, Result

_NEAR, _LEFT, _RIGHT = range(3)


class Options(BaseModel):
    """Which lines there are, and who crosses them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lines: tuple[Line, ...] = Field(min_length=1, max_length=32, description="the lines")
    at: At = Field(default="bottom", description="which point of a box crosses")
    labels: tuple[str, ...] = Field(default=(), description="the labels that count; all without any")
    margin: float = Field(
        default=0.02,
        ge=0,
        le=0.5,
        description="how far from a line a track is on a side of it, shares of the frame",
    )
    lost_s: float = Field(
        default=2.0, ge=0, le=600, description="a track that is not seen for longer is forgotten, seconds"
    )

    @field_validator("lines")
    @classmethod
    def _each_has_its_name(cls, lines: tuple[Line, ...]) -> tuple[Line, ...]:
        unique(lines)
        return lines


def build(options: Options) -> Lines:
    """Make the filter."""
    return Lines(options)


@dataclass(slots=True)
class _Seen:
    """Where a track was seen last, of each line: how far to the right of it, None for not yet; how far along.

    Attributes:
        across: of each line, from the last time that the track was farther from it than the margin.
        along: likewise.
        sides: on which side of each line it is, a byte each; b"" while one of them is not known.
    """

    across: list[float | None]
    along: list[float]
    sides: bytes = b""


class Lines:
    """Implements ``Filter``. Counts begin with the worker."""

    def __init__(self, options: Options) -> None:
        self._options = options
        ends = np.array([line.points for line in options.lines], np.float64)
        self._starts, ways = ends[:, 0], ends[:, 1] - ends[:, 0]
        self._lengths = np.hypot(ways[:, 0], ways[:, 1])
        self._ways = ways / self._lengths[:, None]
        self._seen: Memory[int, _Seen] = Memory(self._unseen, int(options.lost_s * SECOND_NS))
        self._counts = [{"in": 0, "out": 0} for _ in options.lines]

    def apply(self, result: Result, frame: FrameInfo) -> Result:
        """Add an event for each crossing.

        Raises:
            InputRejected: a box is not one.
        """
        where, boxes = boxes_of("lines", result.items)
        across, along, sides = self._measured(anchors_of(boxes, self._options.at))
        events = []
        for row, place in enumerate(where):
            item = result.items[place]
            track = track_of(item)
            if track is None or not wanted(item, self._options.labels):
                continue
            seen = self._seen.see(track, frame.captured_ns)
            if sides[row] != seen.sides or _NEAR in sides[row]:
                events += self._crossed(item, seen, across[row], along[row])
            else:
                seen.across, seen.along = across[row], along[row]
        self._seen.forget(frame.captured_ns)
        return going_on(result, result.items, events) if events else result

    def _unseen(self) -> _Seen:
        return _Seen([None] * len(self._lengths), [0.0] * len(self._lengths))

    def _measured(self, points: Array) -> tuple[list[list[Any]], list[list[float]], list[bytes]]:
        """Give how far each point is to the right of each line, how far along it, and its sides.

        [point][line]; a side is a byte, ``_NEAR`` within the margin.
        """
        way = points[:, None] - self._starts
        across = self._ways[:, 0] * way[..., 1] - self._ways[:, 1] * way[..., 0]
        sides = np.where(np.abs(across) <= self._options.margin, _NEAR, np.where(across > 0, _RIGHT, _LEFT))
        packed = sides.astype(np.uint8).tobytes()
        lines = len(self._lengths)
        rows = [packed[at : at + lines] for at in range(0, len(packed), lines)]
        return across.tolist(), (way * self._ways).sum(axis=2).tolist(), rows

    def _crossed(self, item: Item, seen: _Seen, across: list[float], along: list[float]) -> list[Event]:
        """Take in where a track is; give its crossings."""
        events = []
        for number, (far, at) in enumerate(zip(across, along, strict=True)):
            if abs(far) <= self._options.margin:
                continue
            before, place = seen.across[number], seen.along[number]
            seen.across[number], seen.along[number] = far, at
            if before is None or (before > 0) == (far > 0):
                continue
            meets = place + (at - place) * before / (before - far)
            if 0 <= meets <= self._lengths[number]:
                events.append(self._event(item, number, "in" if far > 0 else "out"))
        known = (_RIGHT if far > 0 else _LEFT for far in seen.across if far is not None)
        seen.sides = b"" if None in seen.across else bytes(known)
        return events

    def _event(self, item: Item, number: int, direction: Literal["in", "out"]) -> Event:
        self._counts[number][direction] += 1
        line = self._options.lines[number].name
        return about("line.crossed", item, line=line, direction=direction, counts=dict(self._counts[number]))
