"""Take the blocks out of a damaged segment file, past SQLite: its pages are read as bytes.

A page of rows says where each of its cells begins; a cell holds one row, and names the first of the overflow
pages that hold the rest (https://sqlite.org/fileformat2.html, sections 1.5, 1.6 and 2.1). What the file says
of itself beyond that, such as the kind of a page, the number of its cells and the tree above it, is not
believed and not needed: the checksum of a block tells whether what was put together is one. So a damaged
place costs the one block that it lies in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agent.blocks import MAX_SEQ, Block, Times
from agent.sqlite import PAGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FILE_HEADER = 100
_PAGE_HEADER = 8
_MOST_CELLS = 16
"""A row of ours keeps at least 489 bytes in its page: eight fit. Twice as many slots are looked at."""
_MOST_PAYLOAD = 4 << 20
_INLINE = PAGE - 35
_LEAST_INLINE = (PAGE - 12) * 32 // 255 - 23
_COLUMNS = (4, 7)
"""Release 1 kept no times."""
_WIDTHS = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 8: 0, 9: 0}
"""Bytes of a value by its serial type; 8 and 9 are the numbers 0 and 1."""


class _Cell(NamedTuple):
    first: int
    payload: bytes


def blocks_in(data: bytes, checksum: Callable[[Block], int]) -> dict[int, Block]:
    """Find every block in the bytes of a segment file whose checksum holds; by its first sequence number."""
    found: dict[int, Block] = {}
    for start in range(0, len(data) - PAGE + 1, PAGE):
        for cell in _cells(data, start):
            row = _row(cell)
            if row is not None and checksum(row[0]) == row[1]:
                found[row[0].first] = row[0]
    return found


def _cells(data: bytes, start: int) -> Iterator[_Cell]:
    header = _FILE_HEADER if start == 0 else 0
    slots = start + header + _PAGE_HEADER
    for at in range(slots, slots + 2 * _MOST_CELLS, 2):
        offset = int.from_bytes(data[at : at + 2], "big")
        if _PAGE_HEADER <= offset < PAGE and (cell := _cell(data, start, offset)) is not None:
            yield cell


def _cell(data: bytes, start: int, offset: int) -> _Cell | None:
    size, at = _varint(data, start + offset)
    first, at = _varint(data, at)
    if not 16 < size <= _MOST_PAYLOAD or not 0 < first <= MAX_SEQ:
        return None
    inline = size
    if size > _INLINE:
        inline = _LEAST_INLINE + (size - _LEAST_INLINE) % (PAGE - 4)
        inline = inline if inline <= _INLINE else _LEAST_INLINE
    if at + inline + 4 * (inline < size) > start + PAGE:
        return None
    pieces = [data[at : at + inline]]
    left = size - inline
    page = int.from_bytes(data[at + inline : at + inline + 4], "big")
    while left > 0:
        begin = (page - 1) * PAGE
        if page < 2 or begin + PAGE > len(data):
            return None
        page = int.from_bytes(data[begin : begin + 4], "big")
        pieces.append(data[begin + 4 : begin + 4 + min(left, PAGE - 4)])
        left -= PAGE - 4
    return _Cell(first, b"".join(pieces))


def _row(cell: _Cell) -> tuple[Block, int] | None:
    """Read a row of the table ``blocks``: the block and its checksum; None when it is none."""
    end, at = _varint(cell.payload, 0)
    types = []
    while at < end <= len(cell.payload):
        kind, at = _varint(cell.payload, at)
        types.append(kind)
    if at != end or len(types) not in _COLUMNS or types[0] != 0 or types[3] < 12 or types[3] % 2:
        return None
    values: list[int | bytes | None] = []
    for kind in types:
        width = (kind - 12) // 2 if kind >= 12 and kind % 2 == 0 else _WIDTHS.get(kind)
        if width is None:
            return None
        values.append(_value(kind, cell.payload[at : at + width]))
        at += width
    _, count, crc, packed, *when = values
    if not (isinstance(count, int) and isinstance(crc, int) and isinstance(packed, bytes)):
        return None
    from_ns, to_ns, powered_s = when or (None, None, None)
    times = None
    if isinstance(from_ns, int) and isinstance(to_ns, int) and isinstance(powered_s, int):
        times = Times(from_ns, to_ns, powered_s)
    return Block(cell.first, count, packed, times), crc


def _value(kind: int, raw: bytes) -> int | bytes | None:
    if kind == 0:
        return None
    if kind in {8, 9}:
        return kind - 8
    return raw if kind >= 12 else int.from_bytes(raw, "big", signed=True)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Read SQLite's variable-length integer; give it and the place behind it."""
    value = 0
    for step, byte in enumerate(data[at : at + 9]):
        if step == 8:
            return value << 8 | byte, at + 9
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            return value, at + step + 1
    return 0, len(data)
