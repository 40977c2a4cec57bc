"""A look at a .tflite file's outline, to see whether it is one, and whether all of it is there.

Older runtimes crash on truncated files, so this walks the outline (root table, operators, subgraphs,
buffers) with every offset checked against the file's end. It proves nothing else: the runtime's verifier
has the last word. The layout is the FlatBuffers binary format: little-endian, a table starts with the
distance back to its vtable, a vtable lists where the table's fields stand, and references are distances
forward.
"""

from __future__ import annotations

import struct

IDENTIFIER = b"TFL3"

_OPERATOR_CODES = 1
_SUBGRAPHS = 2
_BUFFERS = 4
_DATA = 0
"""Positions of three fields of ``Model`` in its table, and of ``Buffer.data`` in its own."""
_MOST_ITEMS = 1 << 20


class Broken(Exception):
    """The outline does not hold together; the text says where."""


def check_outline(data: bytes) -> None:
    """Check that ``data`` starts as a TFLite model and that its outline ends within it.

    Raises:
        Broken: it does not.
    """
    if data[4:8] != IDENTIFIER:
        raise Broken("it is not a TFLite model (no TFL3 at byte 4)")
    try:
        root = _follow(data, 0)
        for table in _tables(data, root, _OPERATOR_CODES) + _tables(data, root, _SUBGRAPHS):
            _vtable(data, table)
        for table in _tables(data, root, _BUFFERS):
            if at := _field(data, table, _DATA):
                _vector(data, at, size=1)
    except struct.error as error:
        raise Broken("it is truncated or damaged") from error


def _u32(data: bytes, at: int) -> int:
    value: int = struct.unpack_from("<I", data, at)[0]
    return value


def _follow(data: bytes, at: int) -> int:
    """Give where the reference at ``at`` leads."""
    return at + _u32(data, at)


def _vtable(data: bytes, table: int) -> tuple[int, int]:
    """Give a table's vtable and that vtable's length in bytes; both lie within the file."""
    at = table - struct.unpack_from("<i", data, table)[0]
    if at < 0:
        raise Broken("it is damaged")
    length, inline = struct.unpack_from("<HH", data, at)
    if max(at + length, table + inline) > len(data):
        raise Broken("it is truncated or damaged")
    return at, length


def _field(data: bytes, table: int, position: int) -> int:
    """Give where a field's reference leads, or 0 when the table leaves the field out."""
    vtable, length = _vtable(data, table)
    slot = 4 + 2 * position
    if slot + 2 > length:
        return 0
    inside: int = struct.unpack_from("<H", data, vtable + slot)[0]
    return _follow(data, table + inside) if inside else 0


def _vector(data: bytes, at: int, size: int) -> int:
    """Give how many items the vector at ``at`` has, each of ``size`` bytes, all of them within the file."""
    count = _u32(data, at)
    if at + 4 + count * size > len(data):
        raise Broken("it is truncated or damaged")
    return count


def _tables(data: bytes, table: int, position: int) -> list[int]:
    at = _field(data, table, position)
    if not at:
        raise Broken("it is damaged: a list that each model has is missing")
    count = _vector(data, at, size=4)
    if count > _MOST_ITEMS:
        raise Broken(f"it is damaged: it claims {count} parts")
    return [_follow(data, at + 4 + 4 * index) for index in range(count)]
