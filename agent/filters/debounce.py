"""Debounce: tells an item once its label, or its track, was there for long enough."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agent.filters._items import SECOND_NS, going_on, label_of, track_of
from agent.filters._memory import MOST

if TYPE_CHECKING:
    from agent.types import FrameInfo, Result

_Key = tuple[str | None, int | None]
"""Label and track."""


class Options(BaseModel):
    """How long is long enough: both must hold."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    seen: int = Field(default=3, ge=1, le=64, description="in how many results it must have been ...")
    of: int = Field(default=5, ge=1, le=64, description="... of so many, the last ones")
    for_s: float = Field(
        default=0.0,
        ge=0,
        le=600,
        description="it must have come so long ago, seconds; what is in none of `of` results begins anew",
    )

    @model_validator(mode="after")
    def _can_be(self) -> Options:
        if self.seen > self.of:
            raise ValueError("seen is at most of")
        return self


def build(options: Options) -> Debounce:
    """Make the filter."""
    return Debounce(options)


@dataclass(slots=True)
class _Past:
    """When something came, and in which of the last results it was: a bit each, the last one lowest."""

    came_ns: int
    bits: int = 0


class Debounce:
    """Implements ``Filter``. Items with neither label nor track pass."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._for_ns = int(options.for_s * SECOND_NS)
        self._pasts: dict[_Key, _Past] = {}
        self._empty = True

    def apply(self, result: Result, frame: FrameInfo) -> Result | None:
        """Leave out what was not there for long enough; None where nothing is left now, nor was before."""
        keys = [(label_of(item), track_of(item)) for item in result.items]
        self._take_in({*keys}, frame.captured_ns)
        items = [
            item
            for item, key in zip(result.items, keys, strict=True)
            if key == (None, None) or self._long_enough(key, frame.captured_ns)
        ]
        was_empty, self._empty = self._empty, not items
        return None if was_empty and self._empty and not result.events else going_on(result, items)

    def _take_in(self, keys: set[_Key], now_ns: int) -> None:
        mask = (1 << self._options.of) - 1
        for key, past in list(self._pasts.items()):
            past.bits = (past.bits << 1) & mask
            if not past.bits and key not in keys:
                del self._pasts[key]
        for key in sorted(keys, key=str):
            if key in self._pasts or len(self._pasts) < MOST:
                past = self._pasts.setdefault(key, _Past(now_ns))
                if not past.bits:
                    past.came_ns = now_ns
                past.bits |= 1

    def _long_enough(self, key: _Key, now_ns: int) -> bool:
        past = self._pasts.get(key)
        if past is None:
            return False
        return past.bits.bit_count() >= self._options.seen and now_ns - past.came_ns >= self._for_ns
