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
EDGE_TPU_OPERATOR = "edgetpu-custom-op"
"""What the Edge TPU's compiler makes of those that run there; nothing else can run it."""

_OPERATOR_CODES = 1
_SUBGRAPHS = 2
_BUFFERS = 4
_DATA = 0
"""Positions of three fields of ``Model`` in its table, and of ``Buffer.data`` in its own."""
_CUSTOM_CODE = 1
_TENSORS, _INPUTS, _OUTPUTS = 0, 1, 2
_SHAPE, _TYPE = 0, 1
"""Positions of fields of ``OperatorCode``, of ``SubGraph``, and of ``Tensor``."""
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


def custom_operators(data: bytes) -> list[str]:
    """Name the operators that are not TFLite's own, such as the one that an accelerator's compiler makes.

    Raises:
        Broken: the outline does not hold together.
    """
    try:
        codes = _tables(data, _follow(data, 0), _OPERATOR_CODES)
        return [_string(data, at) for code in codes if (at := _field(data, code, _CUSTOM_CODE))]
    except struct.error as error:
        raise Broken("it is truncated or damaged") from error


def is_for_edge_tpu(data: bytes) -> bool:
    """Whether the model was compiled for the Edge TPU, and runs nowhere else; a broken one was not."""
    try:
        return EDGE_TPU_OPERATOR in custom_operators(data)
    except Broken:  # whoever loads it is told
        return False


Border = tuple[int, tuple[int, ...]]
"""A tensor's type, as the file's schema numbers it, and its shape."""


def borders(data: bytes) -> tuple[list[Border], list[Border]]:
    """Give the inputs and the outputs of the first graph, which is the one that is run.

    Raises:
        Broken: the outline does not hold together.
    """
    try:
        graph = _tables(data, _follow(data, 0), _SUBGRAPHS)[0]
        tensors = _tables(data, graph, _TENSORS)
        first, last = (_numbers(data, _field(data, graph, position)) for position in (_INPUTS, _OUTPUTS))
        return [_border(data, tensors[one]) for one in first], [_border(data, tensors[one]) for one in last]
    except (struct.error, IndexError) as error:
        raise Broken("it is truncated or damaged") from error


def _border(data: bytes, tensor: int) -> Border:
    vtable, length = _vtable(data, tensor)
    slot = 4 + 2 * _TYPE
    inside: int = struct.unpack_from("<H", data, vtable + slot)[0] if slot + 2 <= length else 0
    return (data[tensor + inside] if inside else 0), tuple(_numbers(data, _field(data, tensor, _SHAPE)))


def _numbers(data: bytes, at: int) -> list[int]:
    """Give a vector of int32; none where the field is left out."""
    if not at:
        return []
    count = _vector(data, at, size=4)
    return list(struct.unpack_from(f"<{count}i", data, at + 4))


def _string(data: bytes, at: int) -> str:
    count = _vector(data, at, size=1)
    return data[at + 4 : at + 4 + count].decode(errors="replace")


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
