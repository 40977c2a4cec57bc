"""Zones: names the parts of the picture that an item is in; adds ``zones``.

A track that stays in a zone, or stays away, for as long as ``settle_s`` has entered or left it: events
``zone.entered`` and ``zone.left``, in turns. A track that is not seen any more has left.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator

from agent.filters._items import (
    SECOND_NS,
    At,
    about,
    anchors_of,
    boxes_of,
    going_on,
    track_of,
    wanted,
)
from agent.filters._memory import Memory
from agent.filters._places import Zone, inside, unique

if TYPE_CHECKING:
    from agent.filters._items import Event, Item
    from agent.types import Array, FrameInfo, Result


class Options(BaseModel):
    """Which zones there are, and when an item is in one."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zones: tuple[Zone, ...] = Field(min_length=1, max_length=32, description="the parts of the picture")
    at: At = Field(default="bottom", description="which point of a box must lie in a zone")
    labels: tuple[str, ...] = Field(
        default=(), description="the labels that can be in a zone; all without any"
    )
    only: bool = Field(default=False, description="leave out items that are in no zone")
    settle_s: float = Field(
        default=0.5,
        ge=0,
        le=600,
        description="a track has entered or left once it did so for so long, seconds",
    )
    lost_s: float = Field(
        default=2.0, ge=0, le=600, description="a track that is not seen for longer has left, seconds"
    )

    @field_validator("zones")
    @classmethod
    def _each_has_its_name(cls, zones: tuple[Zone, ...]) -> tuple[Zone, ...]:
        unique(zones)
        return zones


def build(options: Options) -> Zones:
    """Make the filter."""
    return Zones(options)


@dataclass(slots=True)
class _Stay:
    """What is known of one track and one zone: since when it is in, and since when it seems otherwise."""

    since_ns: int | None = None
    otherwise_ns: int | None = None


@dataclass(slots=True)
class _Visitor:
    """A track: its stay in each zone by name, and what it looks like.

    Attributes:
        settled: the zones that it is in; None while it seems to come or go.
    """

    stays: dict[str, _Stay] = field(default_factory=dict)
    item: Item = field(default_factory=dict)
    settled: list[str] | None = field(default_factory=list)


class Zones:
    """Implements ``Filter``."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._zones = [(zone.name, np.array(zone.points, np.float64)) for zone in options.zones]
        self._settle_ns = int(options.settle_s * SECOND_NS)
        self._visitors: Memory[int, _Visitor] = Memory(_Visitor, int(options.lost_s * SECOND_NS))

    def apply(self, result: Result, frame: FrameInfo) -> Result:
        """Name the zones of each item with a box, and say who came and went.

        Raises:
            InputRejected: a box is not one.
        """
        where, boxes = boxes_of("zones", result.items)
        found = self._found(anchors_of(boxes, self._options.at))
        items, events = list(result.items), []
        for place, zones in zip(where, found, strict=True):
            item = items[place]
            counts = wanted(item, self._options.labels)
            here = zones if counts else []
            items[place] = item = {**item, "zones": here}
            if counts and (track := track_of(item)) is not None:
                visitor = self._visitors.see(track, frame.captured_ns)
                visitor.item = item
                if here != visitor.settled:
                    events += self._noticed(visitor, here, frame.captured_ns)
        events += self._gone(frame.captured_ns)
        if self._options.only:
            items = [item for item in items if item.get("zones") or "box" not in item]
        return going_on(result, items, events)

    def _found(self, points: Array) -> list[list[str]]:
        """Give the names of the zones that each point lies in."""
        found: list[list[str]] = [[] for _ in points]
        for name, corners in self._zones:
            for place in inside(points, corners).nonzero()[0].tolist():
                found[place].append(name)
        return found

    def _noticed(self, visitor: _Visitor, here: list[str], now_ns: int) -> list[Event]:
        """Take in where a track is; give what has happened by that."""
        events: list[Event] = []
        for name in {*visitor.stays, *here}:
            stay = visitor.stays.setdefault(name, _Stay())
            if (name in here) == (stay.since_ns is not None):
                stay.otherwise_ns = None
                continue
            if stay.otherwise_ns is None:
                stay.otherwise_ns = now_ns
            if now_ns - stay.otherwise_ns >= self._settle_ns:
                events.append(_turned(visitor.item, name, stay, now_ns))
        waits = any(stay.otherwise_ns is not None for stay in visitor.stays.values())
        visitor.settled = None if waits else here
        return sorted(events, key=lambda event: str(event["zone"]))

    def _gone(self, now_ns: int) -> list[Event]:
        """Give who has left by not being seen any more."""
        return [
            _turned(visitor.item, name, stay, now_ns)
            for visitor in self._visitors.forget(now_ns)
            for name, stay in sorted(visitor.stays.items())
            if stay.since_ns is not None
        ]


def _turned(item: Item, name: str, stay: _Stay, now_ns: int) -> Event:
    """Have a stay begin or end; give the event."""
    began_ns, begins_ns = stay.since_ns, stay.otherwise_ns
    stay.otherwise_ns = None
    if began_ns is None:
        stay.since_ns = begins_ns
        return about("zone.entered", item, zone=name)
    stay.since_ns = None
    ended_ns = now_ns if begins_ns is None else begins_ns
    return about("zone.left", item, zone=name, seconds=round((ended_ns - began_ns) / SECOND_NS, 3))
