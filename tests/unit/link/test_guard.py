"""The guard follows a stream of packets however it is cut, and stops it before the body of a bad one."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.mqtt.packets import Guard, PacketRefused
from tests.simulators.hostile_broker import frame, length, publish

MOST = 3000
answers = st.builds(
    frame, st.sampled_from([0x20, 0x40, 0x90, 0xB0, 0xD0, 0xE0]), st.binary(max_size=MOST - 9)
)
topics = st.integers(0, 300).map(lambda size: b"t" * size)
payloads = st.integers(0, 1500).map(lambda size: b"x" * size)


def messages(five: bool) -> st.SearchStrategy[bytes]:
    properties = st.integers(0, 1024).map(lambda size: length(size) + b"p" * size) if five else st.just(b"")
    return st.builds(
        lambda topic, qos, extra, payload: publish(topic, extra + payload, qos=qos),
        topics,
        st.sampled_from([0, 1]),
        properties,
        payloads,
    )


streams = st.booleans().flatmap(
    lambda five: st.tuples(st.just(five), st.lists(answers | messages(five), max_size=6))
)
cut = st.lists(st.integers(0, 9000), max_size=12)


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [piece for a, b in pairwise(edges) if (piece := stream[a:b])]


def stops(guard: Guard, stream: bytes, cuts: list[int]) -> None:
    """The last byte of the stream is refused, and none before it."""
    for piece in pieces(stream[:-1], cuts):
        guard.saw(piece)
    assert guard.problem == ""
    with pytest.raises(PacketRefused):
        guard.saw(stream[-1:])
    assert guard.problem
    with pytest.raises(PacketRefused):
        guard.saw(b"\xd0\0")


@given(streams, cut)
def test_packets_below_the_limits_pass_however_they_are_cut(
    stream: tuple[bool, list[bytes]], cuts: list[int]
) -> None:
    five, good = stream
    guard = Guard(MOST, five=five)
    for piece in pieces(b"".join(good), cuts):
        guard.saw(piece)
    assert guard.problem == ""


@given(streams, st.integers(MOST - 2, 1 << 27), cut)
def test_a_larger_one_is_stopped_at_its_length(
    stream: tuple[bool, list[bytes]], size: int, cuts: list[int]
) -> None:
    five, good = stream
    stops(Guard(MOST, five=five), b"".join(good) + b"\x30" + length(size), cuts)


@given(streams, st.sampled_from([0, 1]), topics, st.integers(1025, 1 << 21), cut)
def test_more_properties_than_honest_messages_have_are_stopped_at_their_length(
    stream: tuple[bool, list[bytes]], qos: int, topic: bytes, size: int, cuts: list[int]
) -> None:
    good = stream[1] if stream[0] else []
    whole = publish(topic, length(size) + b"p" * size, qos=qos)
    begun = whole[: len(whole) - size]
    stops(Guard(4 << 20, five=True), b"".join(good) + begun, cuts)
    Guard(4 << 20, five=False).saw(whole)


@pytest.mark.parametrize(
    "stream",
    [
        frame(0x30, b""),
        frame(0x30, b"\0"),
        frame(0x30, b"\0\5abc\0"),
        frame(0x30, b"\0\1a"),
        frame(0x32, b"\0\1a\0\1"),
        frame(0x30, b"\0\1a\x05"),
    ],
)
def test_a_message_that_ends_too_early_is_refused(stream: bytes) -> None:
    guard = Guard(MOST, five=True)
    with pytest.raises(PacketRefused):
        guard.saw(stream)
    Guard(MOST, five=False).saw(stream)  # paho knows what to do with it


@pytest.mark.parametrize("five", [True, False])
def test_the_limit_itself_is_allowed(five: bool) -> None:
    body = b"\0\1t" + (b"\0" if five else b"")
    Guard(MOST, five=five).saw(frame(0x30, body + b"x" * (MOST - 3 - len(body))))
    stops(Guard(MOST, five=five), b"\x30" + length(MOST - 2), [])


def test_an_answer_is_never_as_large_as_a_message_may_be() -> None:
    Guard(1 << 20, five=True).saw(frame(0x20, bytes((16 << 10) - 3)))
    stops(Guard(1 << 20, five=True), b"\x20" + length((16 << 10) - 2), [])


@pytest.mark.parametrize("first", [0x34, 0x36, 0x3C, 0x35])
def test_a_message_that_paho_would_keep_is_refused_at_its_first_byte(first: int) -> None:
    stops(Guard(MOST, five=False), bytes([first]), [])


@pytest.mark.parametrize("kind", [0x00, 0x10, 0x50, 0x62, 0x70, 0x82, 0xA2, 0xC0, 0xF0])
def test_a_packet_that_no_broker_sends_to_us_is_refused_at_its_first_byte(kind: int) -> None:
    stops(Guard(MOST, five=True), bytes([kind]), [])


def test_a_length_without_an_end_is_refused() -> None:
    stops(Guard(MOST, five=True), b"\x30\xff\xff\xff\xff", [])
    stops(Guard(MOST, five=True), frame(0x30, b"\0\1a\xff\xff\xff\xffxxx")[:-3], [])
