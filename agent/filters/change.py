"""Change: passes a result only where it differs from the last one that passed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field

from agent.filters._items import SECOND_NS, boxes_of, label_of, number_of, track_of, zones_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.filters._items import Item
    from agent.types import FrameInfo, Result

_Look = tuple[str, str, tuple[str, ...]]
"""What an item says besides numbers: its label, or all of it where it has none; its track; its zones."""
_Shot = tuple[list[_Look], list[tuple[float, ...]]]
"""The looks of a result's items, sorted, and the numbers of each: score, value, box."""


class Options(BaseModel):
    """What makes a difference; labels, tracks, zones and how many there are always do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    score: float = Field(
        default=1.0, ge=0, le=1, description="a score that has changed by more than this makes a difference"
    )
    box: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="a side of a box that has moved by more than this share of the frame does",
    )
    value: float = Field(
        default=0.0,
        ge=0,
        le=1e9,
        description="a value, of a regression, that has changed by more than this does",
    )
    every_s: float = Field(
        default=60.0, ge=0, le=86400, description="after so long a result passes anyway, seconds; 0: never"
    )


def build(options: Options) -> Change:
    """Make the filter."""
    return Change(options)


class Change:
    """Implements ``Filter``. Results with events always pass."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._every_ns = int(options.every_s * SECOND_NS)
        self._last: _Shot | None = None
        self._passed_ns = 0

    def apply(self, result: Result, frame: FrameInfo) -> Result | None:
        """Pass the result, or None where it says nothing new.

        Raises:
            InputRejected: a box is not one.
        """
        shot = _shot(result)
        due = self._every_ns and frame.captured_ns - self._passed_ns >= self._every_ns
        if not (result.events or due or self._differs(shot)):
            return None
        self._last, self._passed_ns = shot, frame.captured_ns
        return result

    def _differs(self, shot: _Shot) -> bool:
        if self._last is None or self._last[0] != shot[0]:
            return True
        limits = (self._options.score, self._options.value, *[self._options.box] * 4)
        return any(
            abs(now - then) > limit
            for before, after in zip(self._last[1], shot[1], strict=True)
            for then, now, limit in zip(before, after, limits, strict=True)
        )


def _shot(result: Result) -> _Shot:
    """Give what is compared of a result, and of the results of further models that it carries."""
    rows = [row for name, items in _parts(result) for row in _rows(name, items)]
    rows.sort()
    return [look for look, _ in rows], [numbers for _, numbers in rows]


def _parts(result: Result) -> list[tuple[str, Sequence[Item]]]:
    others = [(name, also) for name, also in result.also.items() if isinstance(also, dict)]
    return [(result.kind, result.items), *((name, also.get("items", ())) for name, also in others)]


def _rows(part: str, items: Sequence[Item]) -> list[tuple[_Look, tuple[float, ...]]]:
    where, boxes = boxes_of("change", items)
    found = dict(zip(where, boxes.tolist(), strict=True))
    rows = []
    for place, item in enumerate(items):
        label = label_of(item)
        look = (f"{part}/{_text(item) if label is None else label}", str(track_of(item)), zones_of(item))
        numbers = (number_of(item, "score") or 0.0, number_of(item, "value") or 0.0)
        rows.append((look, (*numbers, *found.get(place, (0.0,) * 4))))
    return rows


def _text(item: Item) -> str:
    """Give an item without a label in one way, whatever the order of its keys; numbers are compared apart."""
    plain: dict[str, Any] = {key: one for key, one in item.items() if key not in {"score", "value", "box"}}
    return repr(sorted(plain.items(), key=lambda pair: pair[0]))
