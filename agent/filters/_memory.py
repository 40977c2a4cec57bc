"""What a filter remembers of each track or label: bounded in time and number."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

K = TypeVar("K", bound="Hashable")
V = TypeVar("V")

MOST = 1024
"""Keys that are remembered at most."""


class Memory(Generic[K, V]):
    """Values by key, each with when it was seen last.

    Args:
        make: gives the value of a new key.
        keep_ns: how long a key that is not seen stays, nanoseconds.
        most: how many keys stay.
    """

    def __init__(self, make: Callable[[], V], keep_ns: int, most: int = MOST) -> None:
        self._make = make
        self._keep_ns = keep_ns
        self._most = most
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def see(self, key: K, now_ns: int) -> V:
        """Give the value of a key that is there now, new or not."""
        found = self._kept.pop(key, None)
        value = self._make() if found is None else found[0]
        self._kept[key] = (value, now_ns)
        return value

    def forget(self, now_ns: int) -> list[V]:
        """Take out, and give, what was not seen for too long, and what is too much: the oldest first."""
        gone = []
        while self._kept:
            key, (value, seen_ns) = next(iter(self._kept.items()))
            if now_ns - seen_ns <= self._keep_ns and len(self._kept) <= self._most:
                break
            del self._kept[key]
            gone.append(value)
        return gone
