"""Dwell: says that a track has been in a zone, or in the picture, for long: event ``zone.dwelt``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from agent.filters._items import SECOND_NS, about, going_on, track_of, wanted, zones_of
from agent.filters._memory import Memory

if TYPE_CHECKING:
    from agent.filters._items import Event, Item
    from agent.types import FrameInfo, Result


class Options(BaseModel):
    """Who dwells, where, and from when on that is said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zones: tuple[str, ...] = Field(
        default=(),
        max_length=32,
        description="zones of a filter `zones` before this one; without any, anywhere",
    )
    labels: tuple[str, ...] = Field(default=(), description="the labels that count; all without any")
    after_s: float = Field(default=10.0, ge=0, le=86400, description="how long a track dwells, seconds")
    repeat_s: float = Field(
        default=0.0, ge=0, le=86400, description="the event comes again each so many seconds; 0: once"
    )
    lost_s: float = Field(
        default=2.0, ge=0, le=600, description="a track that is away for longer begins anew, seconds"
    )


def build(options: Options) -> Dwell:
    """Make the filter."""
    return Dwell(options)


@dataclass(slots=True)
class _Stay:
    """Since when a track is in a place, and when that is to be said next; None for never."""

    since_ns: int | None = None
    due_ns: int | None = None


class Dwell:
    """Implements ``Filter``. It takes tracks from ``track``, and zones from ``zones``."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._after_ns = int(options.after_s * SECOND_NS)
        self._repeat_ns = int(options.repeat_s * SECOND_NS)
        self._stays: Memory[tuple[int, str], _Stay] = Memory(_Stay, int(options.lost_s * SECOND_NS))

    def apply(self, result: Result, frame: FrameInfo) -> Result:
        """Add an event for each track that has dwelt long enough."""
        self._stays.forget(frame.captured_ns)
        events = []
        for item in result.items:
            track = track_of(item)
            if track is not None and wanted(item, self._options.labels):
                for place in self._places(item):
                    events += self._noticed(item, (track, place), frame.captured_ns)
        return going_on(result, result.items, events) if events else result

    def _places(self, item: Item) -> tuple[str, ...]:
        """Give where the item is, of the places that count; "" stands for anywhere."""
        if not self._options.zones:
            return ("",)
        return tuple(zone for zone in dict.fromkeys(zones_of(item)) if zone in self._options.zones)

    def _noticed(self, item: Item, key: tuple[int, str], now_ns: int) -> list[Event]:
        stay = self._stays.see(key, now_ns)
        if stay.since_ns is None:
            stay.since_ns, stay.due_ns = now_ns, now_ns + self._after_ns
        if stay.due_ns is None or now_ns < stay.due_ns:
            return []
        stay.due_ns = now_ns + self._repeat_ns if self._repeat_ns else None
        place = {"zone": key[1]} if key[1] else {}
        return [about("zone.dwelt", item, **place, seconds=round((now_ns - stay.since_ns) / SECOND_NS, 3))]
