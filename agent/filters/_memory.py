"""What a filter remembers of each track or label: bounded in time and number."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

K = TypeVar("K", bound="Hashable")
V = TypeVar("V")

MOST = 1024
"""Keys that are remembered at most."""
_NEVER_NS = 1 << 62


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
        self._kept: dict[K, V] = {}
        self._seen_ns: dict[K, int] = {}
        self._oldest_ns = _NEVER_NS  # nothing was seen last before this

    def __len__(self) -> int:
        return len(self._kept)

    def see(self, key: K, now_ns: int) -> V:
        """Give the value of a key that is there now, new or not."""
        self._seen_ns[key] = now_ns
        self._oldest_ns = min(self._oldest_ns, now_ns)
        if key not in self._kept:
            self._kept[key] = self._make()
        return self._kept[key]

    def forget(self, now_ns: int) -> list[V]:
        """Take out, and give, what was not seen for too long, and what is too much: the oldest first."""
        if now_ns - self._oldest_ns <= self._keep_ns and len(self._kept) <= self._most:
            return []
        gone = []
        self._oldest_ns = _NEVER_NS
        for key, seen_ns in sorted(self._seen_ns.items(), key=itemgetter(1)):
            if now_ns - seen_ns <= self._keep_ns and len(self._kept) <= self._most:
                self._oldest_ns = seen_ns
                break
            del self._seen_ns[key]
            gone.append(self._kept.pop(key))
        return gone
