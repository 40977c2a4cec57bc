"""Reads FlatBuffers that nobody vouches for: every offset is checked against the end of the data.

The format is that of https://flatbuffers.dev/internals: little-endian; a table starts with the distance back
to its vtable, a vtable lists where the table's fields stand, and references are distances forward. Which
field is at which position, and of which type, a schema says: here the callers do.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_DAMAGED = "it is truncated or damaged"
_MOST_TEXT = 800
"""Bytes of a string that are read."""


class Broken(Exception):
    """The data does not hold together; the text says where, and follows "it is"."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table: where it begins in ``data``. What it has is Broken when it does not lie within the data."""

    data: bytes
    at: int

    def check(self) -> None:
        """See that the table and its vtable lie within the data."""
        self._vtable()

    def has(self, position: int) -> bool:
        """Whether it has this field, or leaves it out."""
        return self._place(position) > 0

    def number(self, position: int, form: str = "<I") -> int:
        """Give a whole number, 0 where it is left out."""
        at = self._place(position)
        return int(_unpack(form, self.data, at)[0]) if at else 0

    def real(self, position: int) -> float:
        """Give a float32, 0 where it is left out."""
        at = self._place(position)
        return float(_unpack("<f", self.data, at)[0]) if at else 0.0

    def table(self, position: int) -> Table | None:
        """Give a table that it refers to; None where that is left out."""
        at = self._place(position)
        return Table(self.data, _follow(self.data, at)) if at else None

    def raw(self, position: int) -> memoryview:
        """Give the bytes of a string, or of a vector of bytes."""
        count = self.count(position, 1)
        start = self._items(position) if count else 0
        return memoryview(self.data)[start : start + count]

    def text(self, position: int) -> str:
        """Give the beginning of a string, "" where it is left out."""
        return bytes(self.raw(position)[:_MOST_TEXT]).decode(errors="replace").strip()

    def count(self, position: int, size: int) -> int:
        """Give how many items of ``size`` bytes a vector has; 0 where it is left out."""
        if not self.has(position):
            return 0
        start = self._items(position)
        found: int = _unpack("<I", self.data, start - 4)[0]
        if start + size * found > len(self.data):
            raise Broken(_DAMAGED)
        return found

    def tables(self, position: int, most: int) -> Iterator[Table]:
        """Give the tables of a vector, the first ``most`` of them."""
        count = min(self.count(position, 4), most)
        start = self._items(position) if count else 0
        for at in range(start, start + 4 * count, 4):
            yield Table(self.data, _follow(self.data, at))

    def item(self, position: int, index: int) -> Table:
        """Give one table of a vector that has so many."""
        return Table(self.data, _follow(self.data, self._items(position) + 4 * index))

    def ints(self, position: int) -> tuple[int, ...]:
        """Give a vector of int32."""
        count = self.count(position, 4)
        return _unpack(f"<{count}i", self.data, self._items(position)) if count else ()

    def floats(self, position: int, most: int) -> tuple[float, ...]:
        """Give a vector of float32; nothing where there are more than ``most``, or one is not finite."""
        count = self.count(position, 4)
        if not 0 < count <= most:
            return ()
        found = _unpack(f"<{count}f", self.data, self._items(position))
        return found if all(map(math.isfinite, found)) else ()

    def _vtable(self) -> tuple[int, int]:
        """Give where its vtable is, and that vtable's length in bytes."""
        at = self.at - _unpack("<i", self.data, self.at)[0]
        if at < 0:
            raise Broken("it is damaged")
        length, inline = _unpack("<HH", self.data, at)
        if max(at + length, self.at + inline) > len(self.data):
            raise Broken(_DAMAGED)
        return at, length

    def _place(self, position: int) -> int:
        """Give where a field stands, 0 where it is left out."""
        vtable, length = self._vtable()
        slot = 4 + 2 * position
        inside: int = _unpack("<H", self.data, vtable + slot)[0] if slot + 2 <= length else 0
        return self.at + inside if inside else 0

    def _items(self, position: int) -> int:
        """Give where the items of a vector begin that is not left out."""
        return _follow(self.data, self._place(position)) + 4


def root(data: bytes) -> Table:
    """Give the table that all others hang on."""
    return Table(data, _follow(data, 0))


def _follow(data: bytes, at: int) -> int:
    """Give where the reference at ``at`` leads."""
    return at + int(_unpack("<I", data, at)[0])


def _unpack(form: str, data: bytes, at: int) -> tuple[Any, ...]:
    try:
        return struct.unpack_from(form, data, at)
    except struct.error as error:
        raise Broken(_DAMAGED) from error
