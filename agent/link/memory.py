"""Tables that remember the newest few."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections import OrderedDict

MEMORY = 256
"""Epochs of which is remembered what was sent and acknowledged, and records that were given up."""

_K = TypeVar("_K")
_V = TypeVar("_V")


def remember(table: OrderedDict[_K, _V], place: _K, value: _V) -> None:
    """Put a value in as the newest; the oldest goes where there are too many."""
    table[place] = value
    table.move_to_end(place)
    if len(table) > MEMORY:
        table.popitem(last=False)
