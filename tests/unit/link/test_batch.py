"""Batches survive the trip unchanged, and nothing else passes for one."""

from __future__ import annotations

import zlib
from typing import Any

import orjson
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from agent.blocks import Block, Lease
from agent.errors import MessageInvalid
from agent.link import batch

EPOCH = "0123456789abcdef"


@st.composite
def leases(draw: st.DrawFn) -> Lease:
    first = draw(st.integers(1, 1 << 52))
    blocks = []
    at = first
    for _ in range(draw(st.integers(1, 6))):
        count = draw(st.integers(1, batch.MAX_RECORDS))
        blocks.append(Block(at, count, draw(st.binary(min_size=1, max_size=64))))
        at += count
    return Lease(EPOCH, draw(st.integers(1, first)), tuple(blocks), draw(st.booleans()))


def lease(*data: bytes) -> Lease:
    blocks = tuple(Block(1 + 10 * at, 10, one) for at, one in enumerate(data or (b"abc", b"defg")))
    return Lease(EPOCH, 1, blocks, live=True)


def with_header(change: dict[str, Any], *, body: bytes = b"abcdefg") -> bytes:
    payload = batch.encode("pi-17", "result", lease())
    header = orjson.loads(payload[4 : 4 + int.from_bytes(payload[:4], "big")])
    header |= change
    text = orjson.dumps({key: value for key, value in header.items() if value is not ...})
    return len(text).to_bytes(4, "big") + text + body


@given(leases())
def test_what_is_encoded_is_decoded(one: Lease) -> None:
    assert batch.decode(batch.encode("pi-17", "result", one)) == batch.Batch("pi-17", "result", one)


@given(leases(), st.data())
def test_a_truncated_or_extended_batch_is_refused(one: Lease, data: st.DataObject) -> None:
    payload = batch.encode("pi-17", "result", one)
    cut = data.draw(st.integers(0, len(payload) - 1))
    for wrong in (payload[:cut], payload + b"\0"):
        with pytest.raises(MessageInvalid):
            batch.decode(wrong)


@given(leases(), st.data())
def test_a_changed_block_is_refused(one: Lease, data: st.DataObject) -> None:
    payload = bytearray(batch.encode("pi-17", "result", one))
    body = len(payload) - one.size
    at = data.draw(st.integers(body, len(payload) - 1))
    payload[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(MessageInvalid, match="is damaged"):
        batch.decode(bytes(payload))


@given(leases(), st.data())
def test_a_changed_header_makes_another_valid_batch_or_is_refused(one: Lease, data: st.DataObject) -> None:
    payload = bytearray(batch.encode("pi-17", "result", one))
    at = data.draw(st.integers(0, len(payload) - one.size - 1))
    payload[at] ^= data.draw(st.integers(1, 255))
    try:
        other = batch.decode(bytes(payload))
    except MessageInvalid:
        event("refused")
    else:
        assert batch.decode(batch.encode(other.device, other.stream, other.lease)) == other
        assert [b.data for b in other.lease.blocks] == [b.data for b in one.blocks]


@given(st.binary(max_size=300))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(MessageInvalid):
        batch.decode(noise)


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"v": True},
        {"device": "PI"},
        {"device": ...},
        {"stream": "a/b"},
        {"epoch": EPOCH.upper()},
        {"epoch": EPOCH + "\n"},
        {"first": 2},
        {"last": 21},
        {"low": 0},
        {"low": 2},
        {"low": 1 << 53},
        {"live": 1},
        {"sig": "x"},
        {"more": 1},
        {"blocks": []},
        {"blocks": [[1, 10, 3, zlib.crc32(b"abc")]]},
        {"blocks": [[1, 10, 3, zlib.crc32(b"abc")], [12, 10, 4, zlib.crc32(b"defg")]]},
        {"blocks": [[1, 10, 7, zlib.crc32(b"abcdefg")], [11, 10, 0, 0]]},
        {"blocks": [[1, 0, 3, zlib.crc32(b"abc")], [1, 20, 4, zlib.crc32(b"defg")]]},
        {"blocks": [[1, 10, -1, 0], [11, 10, 8, 0]]},
        {"blocks": "abc"},
    ],
)
def test_a_header_that_lies_is_refused(change: dict[str, Any]) -> None:
    batch.decode(with_header({}))
    with pytest.raises(MessageInvalid):
        batch.decode(with_header(change))


def test_sequence_numbers_do_not_run_over() -> None:
    blocks = [[batch.MAX_SEQ, 10, 3, zlib.crc32(b"abc")], [batch.MAX_SEQ + 10, 10, 4, zlib.crc32(b"defg")]]
    change = {"first": batch.MAX_SEQ, "last": batch.MAX_SEQ, "blocks": blocks[:1]}
    with pytest.raises(MessageInvalid):
        batch.decode(with_header(change, body=b"abc"))


def test_too_many_bytes_are_refused_before_they_are_read() -> None:
    payload = batch.encode("pi-17", "result", lease(b"x" * 1000))
    with pytest.raises(MessageInvalid, match="500 is the most"):
        batch.decode(payload, max_bytes=500)


def test_too_many_blocks_are_refused() -> None:
    many = tuple(Block(1 + at, 1, b"x") for at in range(batch.MAX_BLOCKS + 1))
    with pytest.raises(MessageInvalid, match="blocks"):
        batch.decode(batch.encode("pi-17", "result", Lease(EPOCH, 1, many, live=True)))
