"""Records of buffered IIO devices, against a packer that follows the kernel's words number by number."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.sources.sampling.scan import Element, Scan, element


@st.composite
def elements(draw: st.DrawFn) -> list[Element]:
    found = []
    for index in draw(st.permutations(range(draw(st.integers(1, 6))))):
        storage = draw(st.sampled_from([8, 16, 32, 64]))
        bits = draw(st.integers(1, storage))
        shift = draw(st.integers(0, storage - bits))
        repeat = draw(st.sampled_from([1, 1, 1, 2, 4]))
        found.append(Element(index, draw(st.booleans()), draw(st.booleans()), bits, storage, repeat, shift))
    return found


def packed(layout: list[Element], row: dict[int, list[int]], junk: int) -> bytes:
    """Pack one record; bits that do not count are taken from ``junk``."""
    data = b""
    for one in sorted(layout, key=lambda one: one.index):
        data += bytes(-len(data) % one.size)
        for number in row[one.index]:
            mask = (1 << one.bits) - 1
            stored = (number & mask) << one.shift | junk & ~(mask << one.shift) & ((1 << one.storage) - 1)
            data += stored.to_bytes(one.storage // 8, "big" if one.big else "little")
    return data + bytes(-len(data) % max(one.size for one in layout))


@given(elements(), st.data(), st.integers(0, 2**64 - 1))
def test_what_the_kernel_packs_is_taken_apart(layout: list[Element], data: st.DataObject, junk: int) -> None:
    def row() -> dict[int, list[int]]:
        found = {}
        for one in layout:
            low = -(1 << one.bits - 1) if one.signed else 0
            numbers = st.integers(low, low + (1 << one.bits) - 1)
            found[one.index] = data.draw(st.lists(numbers, min_size=one.repeat, max_size=one.repeat))
        return found

    rows = [row() for _ in range(data.draw(st.integers(0, 3)))]
    scan = Scan(layout)
    records = b"".join(packed(layout, one, junk) for one in rows)
    assert len(records) == scan.size * len(rows)
    found = scan.numbers(records)
    for place, one in enumerate(layout):
        assert found[place].tolist() == [each[one.index] for each in rows]


def test_a_record_is_aligned_as_the_documentation_of_the_kernel_has_it() -> None:
    """An accelerometer of three axes and a timestamp: 6 bytes, 2 of nothing, 8 of time."""
    axes = [element(index, "le:s12/16>>4") for index in range(3)]
    scan = Scan([*axes, element(3, "le:s64/64>>0")])
    assert scan.size == 16
    records = b"\x10\x00" + b"\xf0\xff" + b"\x00\x80" + b"\xaa\xaa" + (7).to_bytes(8, "little")
    assert [one.tolist() for one in scan.numbers(records)] == [[[1]], [[-1]], [[-2048]], [[7]]]


@pytest.mark.parametrize(
    "told",
    ["", "le:s12/16>>", "xe:s12/16>>4", "le:s12/24>>0", "le:s17/16", "le:s12/16>>5", "le:u0/8", "le:f32/32"],
)
def test_a_type_that_makes_no_sense_is_refused(told: str) -> None:
    with pytest.raises(ValueError, match="the type"):
        element(0, told)
