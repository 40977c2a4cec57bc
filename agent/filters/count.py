"""Count: says how many items there are of a label, in the picture or in a zone, once the number has settled.

Events: ``count.changed``, and ``count.reached`` when the number comes to ``at_least`` from below.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from agent.filters._items import SECOND_NS, going_on, label_of, wanted, zones_of
from agent.filters._memory import MOST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.filters._items import Event, Item
    from agent.types import FrameInfo, Result

_Key = tuple[str, str]
"""Zone and label; "" stands for the whole picture, and for all labels together."""


class Options(BaseModel):
    """What is counted, and when it is said."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    labels: tuple[str, ...] = Field(default=(), description="the labels that count; all without any")
    zones: tuple[str, ...] = Field(
        default=(),
        max_length=32,
        description="zones of a filter `zones` before this one, each on its own; without any, the picture",
    )
    together: bool = Field(default=False, description="count all labels as one")
    hold_s: float = Field(
        default=1.0, ge=0, le=600, description="a number counts once it was the same for so long, seconds"
    )
    at_least: int = Field(
        default=0, ge=0, le=1000, description="the number that is said when it is reached; 0: none is"
    )


def build(options: Options) -> Count:
    """Make the filter."""
    return Count(options)


@dataclass(slots=True)
class _Number:
    """The number that counts, the one that is seen, and since when."""

    settled: int = 0
    seen: int = 0
    since_ns: int = 0


class Count:
    """Implements ``Filter``. Every count begins at 0."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._hold_ns = int(options.hold_s * SECOND_NS)
        self._numbers: dict[_Key, _Number] = {}

    def apply(self, result: Result, frame: FrameInfo) -> Result:
        """Add an event for each number that has settled."""
        counted = self._counted(result.items)
        events = []
        for key in sorted({*self._numbers, *counted}):
            if key in self._numbers or len(self._numbers) < MOST:
                number = self._numbers.setdefault(key, _Number())
                events += self._noticed(key, number, counted[key], frame.captured_ns)
                if not (number.settled or number.seen):
                    del self._numbers[key]
        return going_on(result, result.items, events) if events else result

    def _counted(self, items: Sequence[Item]) -> Counter[_Key]:
        found: Counter[_Key] = Counter()
        for item in items:
            label = label_of(item)
            if label is None or not wanted(item, self._options.labels):
                continue
            places = zones_of(item) if self._options.zones else ("",)
            for place in dict.fromkeys(places):
                if not self._options.zones or place in self._options.zones:
                    found[place, "" if self._options.together else label] += 1
        return found

    def _noticed(self, key: _Key, number: _Number, seen: int, now_ns: int) -> list[Event]:
        """Take in a number; give what has happened by that."""
        if seen != number.seen:
            number.seen, number.since_ns = seen, now_ns
        if seen == number.settled or now_ns - number.since_ns < self._hold_ns:
            return []
        before, number.settled = number.settled, seen
        zone, label = key
        where = {**({"label": label} if label else {}), **({"zone": zone} if zone else {})}
        events: list[Event] = [{"event": "count.changed", **where, "count": seen, "before": before}]
        least = self._options.at_least
        if before < least <= seen:
            events.append({"event": "count.reached", **where, "count": seen, "at_least": least})
        return events
