from __future__ import annotations

import tracemalloc
import zlib
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.blocks import MAX_UNPACKED, Block, Lease, pack, unpack
from agent.errors import MessageInvalid
from agent.ledger import Ledger

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    TEXT,
)
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3)
)
RECORDS = st.lists(st.dictionaries(TEXT, JSON, max_size=4), min_size=1, max_size=8)
LEDGERS = st.dictionaries(TEXT, st.just(Ledger(captured=3, inferred=2, in_flight=1).to_json()), max_size=2)


def block_of(body: Any, count: int = 1) -> Block:
    return Block(first=1, count=count, data=zlib.compress(orjson.dumps(body)))


@given(RECORDS, LEDGERS, st.integers(1, 2**40))
def test_unpack_gives_back_what_pack_took(
    records: list[dict[str, Any]], ledgers: dict[str, dict[str, Any]], first: int
) -> None:
    block = Block(first, len(records), pack(records, ledgers))
    assert unpack(block) == (records, ledgers, {})
    assert block.last == first + len(records) - 1


@given(RECORDS, st.data())
def test_a_changed_byte_is_noticed(records: list[dict[str, Any]], data: st.DataObject) -> None:
    packed = bytearray(pack(records, {}))
    at = data.draw(st.integers(0, len(packed) - 1))
    packed[at] ^= data.draw(st.integers(1, 255))
    try:
        found = unpack(Block(1, len(records), bytes(packed)))
    except MessageInvalid:
        return
    assert found == (records, {}, {})  # a bit of zlib's header that says how hard it tried


@given(st.binary(max_size=300))
def test_any_bytes_are_either_a_block_or_refused_as_a_message(data: bytes) -> None:
    with pytest.raises(MessageInvalid):
        unpack(Block(1, 1, data))


@given(RECORDS, st.data())
def test_a_truncated_block_is_refused(records: list[dict[str, Any]], data: st.DataObject) -> None:
    packed = pack(records, {})
    length = data.draw(st.integers(0, len(packed) - 1))
    with pytest.raises(MessageInvalid):
        unpack(Block(1, len(records), packed[:length]))


def test_bytes_after_the_end_are_refused() -> None:
    with pytest.raises(MessageInvalid, match="tail"):
        unpack(Block(1, 1, pack([{}], {}) + b"\0"))


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {"records": [{}]},
        {"ledgers": {}},
        {"ledgers": {}, "records": [{}, {}]},
        {"ledgers": {}, "records": []},
        {"ledgers": {}, "records": {"a": 1}},
        {"ledgers": [], "records": [{}]},
        {"ledgers": {}, "records": [7]},
        {"ledgers": {"door": 7}, "records": [{}]},
    ],
)
def test_json_that_is_no_block_is_refused(body: Any) -> None:
    with pytest.raises(MessageInvalid, match="not 1 records"):
        unpack(block_of(body))


def test_text_that_is_no_json_is_refused() -> None:
    with pytest.raises(MessageInvalid, match="no JSON"):
        unpack(Block(1, 1, zlib.compress(b"{")))


def test_json_nested_without_end_is_refused() -> None:
    with pytest.raises(MessageInvalid):
        unpack(Block(1, 1, zlib.compress(b"[" * 1_000_000)))


def test_a_block_that_unpacks_without_end_costs_no_more_than_the_limit() -> None:
    bomb = zlib.compress(b"0" * (1 << 28), 9)
    tracemalloc.start()
    try:
        with pytest.raises(MessageInvalid, match="too large"):
            unpack(Block(1, 1, bomb))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 3 * MAX_UNPACKED


def test_the_error_names_the_block_by_its_numbers() -> None:
    with pytest.raises(MessageInvalid, match=r"unpack block 65\.\.128"):
        unpack(Block(65, 64, b""))


def test_a_lease_spans_its_blocks() -> None:
    lease = Lease("00" * 8, 1, (Block(5, 3, b"abc"), Block(8, 2, b"de")), live=True)
    assert (lease.first, lease.last, lease.size) == (5, 9, 5)
