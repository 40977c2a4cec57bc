"""The guard follows a stream of packets however it is cut, and stops it before the body of a bad one."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.link.guard import Guard, PacketRefused
from tests.simulators.hostile_broker import frame, publish

MOST = 300
packets = st.builds(frame, st.sampled_from([0x20, 0x30, 0x32, 0x40, 0x90, 0xD0]), st.binary(max_size=290))


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[a:b] for a, b in pairwise(edges)]


@given(st.lists(packets, max_size=8), st.lists(st.integers(0, 5000), max_size=12))
def test_packets_below_the_limit_pass_however_they_are_cut(good: list[bytes], cuts: list[int]) -> None:
    guard = Guard(MOST)
    for piece in pieces(b"".join(good), cuts):
        guard.saw(piece)
    assert guard.problem == ""


@given(
    st.lists(packets, max_size=4), st.integers(MOST - 2, 1 << 27), st.lists(st.integers(0, 2000), max_size=9)
)
def test_a_larger_one_is_stopped_at_its_length(good: list[bytes], size: int, cuts: list[int]) -> None:
    stream = b"".join(good) + b"\x30" + length(size)
    guard = Guard(MOST)
    *before, last = [piece for piece in pieces(stream, cuts) if piece]
    for piece in before:
        guard.saw(piece)
    with pytest.raises(PacketRefused, match="300 is the most"):
        guard.saw(last)  # not one byte of its body
    assert guard.problem


def length(size: int) -> bytes:
    found = b""
    while True:
        size, low = divmod(size, 128)
        found += bytes([low | (0x80 if size else 0)])
        if not size:
            return found


def test_the_limit_itself_is_allowed() -> None:
    Guard(MOST).saw(frame(0x30, b"x" * (MOST - 3)))
    with pytest.raises(PacketRefused):
        Guard(MOST).saw(frame(0x30, b"x" * (MOST - 2)))


@pytest.mark.parametrize("first", [0x34, 0x36, 0x3C, 0x35])
def test_a_message_that_paho_would_keep_is_refused_at_its_first_byte(first: int) -> None:
    with pytest.raises(PacketRefused, match="QoS 2"):
        Guard(MOST).saw(bytes([first]))
    Guard(MOST).saw(publish(b"a", b"b", qos=1))


def test_a_length_without_an_end_is_refused() -> None:
    with pytest.raises(PacketRefused, match="no end"):
        Guard(MOST).saw(b"\x30\xff\xff\xff\xff")
