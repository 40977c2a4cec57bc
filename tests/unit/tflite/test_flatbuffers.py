"""FlatBuffers that nobody vouches for: what is read lies within the data, or it is said to be broken."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.tflite.flatbuffers import Broken, root

if TYPE_CHECKING:
    from agent.tflite.flatbuffers import Table

# Root at 4; vtable of 10 bytes at 4 with fields at 4, 8 and 12 behind the table; the table at 16.
# Field 0: a number; 1: a vector of two floats; 2: a string.
GOOD = (
    struct.pack("<I", 16)
    + struct.pack("<5H", 10, 16, 4, 8, 12)
    + b"\0\0"
    + struct.pack("<iIII", 12, 7, 8, 16)
    + struct.pack("<I2f", 2, 0.5, -1.0)
    + struct.pack("<I", 3)
    + b"abc\0"
)


def all_of(table: Table) -> list[object]:
    """Read a table in every way, whatever its schema may be."""
    table.check()
    found: list[object] = []
    for position in range(4):
        found += [table.number(position), table.real(position), table.text(position), table.has(position)]
        found += [table.ints(position), table.floats(position, 8), table.table(position)]
        found += table.tables(position, 8)
    return found


def test_a_table_gives_its_fields() -> None:
    table = root(GOOD)
    table.check()
    assert table.number(0) == 7
    assert table.floats(1, 8) == (0.5, -1.0)
    assert table.text(2) == "abc"


def test_what_is_left_out_is_nothing() -> None:
    table = root(GOOD)
    assert not table.has(3)
    assert (table.number(3), table.real(3), table.text(3), table.table(3)) == (0, 0.0, "", None)
    assert (table.ints(3), table.floats(3, 8), list(table.tables(3, 8))) == ((), (), [])


def test_more_than_is_wanted_or_not_finite_is_nothing() -> None:
    assert root(GOOD).floats(1, 1) == ()
    assert root(GOOD.replace(struct.pack("<f", 0.5), struct.pack("<f", float("nan")))).floats(1, 8) == ()


@pytest.mark.parametrize("size", range(len(GOOD) - 1))
def test_data_that_ends_early_is_broken(size: int) -> None:
    def read() -> None:
        table = root(GOOD[:size])
        assert (table.number(0), table.floats(1, 8), table.text(2)) == (7, (0.5, -1.0), "abc")

    with pytest.raises(Broken, match=r"^it is "):
        read()


@given(st.data())
def test_any_bytes_at_all_are_read_or_broken(data: st.DataObject) -> None:
    content = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 6))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = all_of(root(bytes(content)))
    except Broken as broken:
        found = [str(broken)]
    assert found
