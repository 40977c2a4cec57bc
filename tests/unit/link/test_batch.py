"""Batches survive the trip unchanged, and nothing else passes for one."""

from __future__ import annotations

import zlib
from typing import Any, get_args

import orjson
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from agent.blocks import MAX_SEQ, STREAMS, Block, Lease, Loss, LossReason
from agent.errors import MessageInvalid
from agent.link import batch
from agent.trust.signing import Signer, Verifier, generate

EPOCH = "0123456789abcdef"


PRIVATE, PUBLIC = generate()
SIGNER, VERIFIER = Signer.from_pem(PRIVATE), Verifier.from_pem(PUBLIC)
signers = st.sampled_from([None, SIGNER])
walls = st.none() | st.integers(-(1 << 63), (1 << 63) - 1)


@st.composite
def leases(draw: st.DrawFn) -> Lease:
    first = draw(st.integers(1, 1 << 52))
    blocks = []
    at = first
    for _ in range(draw(st.integers(0, 6))):
        count = draw(st.integers(1, batch.MAX_RECORDS))
        blocks.append(Block(at, count, draw(st.binary(min_size=1, max_size=64))))
        at += count
    low = draw(st.integers(1, first))
    edges = sorted(draw(st.sets(st.integers(1, first), max_size=8)))
    lost = tuple(
        Loss(a, b - 1, draw(st.sampled_from(get_args(LossReason))), draw(walls), draw(walls))
        for a, b in zip(edges[::2], edges[1::2], strict=False)
    )
    declared = 0 if blocks else first - 1
    return Lease(
        EPOCH, low, tuple(blocks), draw(st.booleans()), draw(st.sampled_from(STREAMS)), lost, declared
    )


def lease(*data: bytes) -> Lease:
    blocks = tuple(Block(1 + 10 * at, 10, one) for at, one in enumerate(data or (b"abc", b"defg")))
    return Lease(EPOCH, 1, blocks, live=True)


def with_header(change: dict[str, Any], *, body: bytes = b"abcdefg") -> bytes:
    payload = batch.encode("demo", "pi-17", lease())
    header = orjson.loads(payload[4 : 4 + int.from_bytes(payload[:4], "big")])
    header |= change
    text = orjson.dumps({key: value for key, value in header.items() if value is not ...})
    return len(text).to_bytes(4, "big") + text + body


LANES = st.sampled_from(get_args(batch.LaneName))


def refused(payload: bytes, verifier: Verifier | None = None) -> bool:
    try:
        batch.decode(payload, verifier)
    except MessageInvalid:
        return True
    return False


@given(leases(), signers, LANES)
def test_what_is_encoded_is_decoded(one: Lease, signer: Signer | None, lane: batch.LaneName) -> None:
    wanted = batch.Batch("demo", "pi-17", one, signer.key_id if signer else None, lane)
    payload = batch.encode("demo", "pi-17", one, signer, lane=lane)
    assert batch.decode(payload, None) == wanted
    if signer:
        assert batch.decode(payload, VERIFIER) == wanted


@given(leases(), signers, st.data())
def test_a_truncated_or_extended_batch_is_refused(
    one: Lease, signer: Signer | None, data: st.DataObject
) -> None:
    payload = batch.encode("demo", "pi-17", one, signer)
    cut = data.draw(st.integers(0, len(payload) - 1))
    assert refused(payload[:cut])
    assert refused(payload + b"\0", VERIFIER)


@given(leases(), st.data())
def test_a_signed_batch_with_any_bit_changed_is_refused(one: Lease, data: st.DataObject) -> None:
    payload = bytearray(batch.encode("demo", "pi-17", one, SIGNER))
    at = data.draw(st.integers(0, len(payload) * 8 - 1))
    payload[at // 8] ^= 1 << at % 8
    assert refused(bytes(payload), VERIFIER)


def test_who_wants_signatures_takes_none_of_another_key_and_nothing_unsigned() -> None:
    other = Signer.from_pem(generate()[0])
    assert not refused(batch.encode("demo", "pi-17", lease(), SIGNER), VERIFIER)
    assert refused(batch.encode("demo", "pi-17", lease(), other), VERIFIER)
    assert refused(batch.encode("demo", "pi-17", lease()), VERIFIER)


def test_a_signature_of_another_kind_of_message_is_worth_nothing() -> None:
    payload = batch.encode("demo", "pi-17", lease(), SIGNER)
    body = payload[:-64]
    assert refused(body + SIGNER.sign("application/vnd.edge-agent.ack+json", body), VERIFIER)
    assert not refused(body + SIGNER.sign(batch.KIND, body), VERIFIER)


def test_nothing_is_parsed_before_the_signature_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    def reached(*_: object, **__: object) -> None:
        pytest.fail("the parser saw bytes that nobody has signed")

    monkeypatch.setattr(batch._Header, "model_validate_json", reached)
    assert refused(batch.encode("demo", "pi-17", lease(), Signer.from_pem(generate()[0])), VERIFIER)
    assert refused(b"\1" + b"[" * 5000, VERIFIER)


@given(leases().filter(lambda one: bool(one.blocks)), st.data())
def test_a_changed_block_is_refused(one: Lease, data: st.DataObject) -> None:
    payload = bytearray(batch.encode("demo", "pi-17", one))
    body = len(payload) - one.size
    at = data.draw(st.integers(body, len(payload) - 1))
    payload[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(MessageInvalid, match="is damaged"):
        batch.decode(bytes(payload), None)


@given(leases(), st.data())
def test_a_changed_header_makes_another_valid_batch_or_is_refused(one: Lease, data: st.DataObject) -> None:
    payload = bytearray(batch.encode("demo", "pi-17", one))
    at = data.draw(st.integers(0, len(payload) - one.size - 1))
    payload[at] ^= data.draw(st.integers(1, 255))
    try:
        other = batch.decode(bytes(payload), None)
    except MessageInvalid:
        event("refused")
    else:
        assert batch.decode(batch.encode(other.fleet, other.device, other.lease), None) == other
        assert [b.data for b in other.lease.blocks] == [b.data for b in one.blocks]


@given(st.binary(max_size=300))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(MessageInvalid):
        batch.decode(noise, None)


@pytest.mark.parametrize(
    "change",
    [
        {"v": 2},
        {"v": True},
        {"fleet": "a/b"},
        {"fleet": ...},
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
        {"lane": "fast"},
        {"key": "x"},
        {"key": EPOCH},
        {"key": ...},
        {"stream": "log"},
        {"lost": ...},
        {"lost": [[1, 2, "evicted", None, None]]},
        {"first": 5, "lost": [[3, 2, "evicted", None, None]]},
        {"lost": [[1, 2, "bored", None, None]]},
        {"lost": [[1, 2, "evicted", None]]},
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
    batch.decode(with_header({}), None)
    with pytest.raises(MessageInvalid):
        batch.decode(with_header(change), None)


def test_a_batch_that_does_not_tell_its_lane_is_backlog() -> None:
    assert batch.decode(with_header({"lane": ...}), None).lane == "backlog"


def test_sequence_numbers_do_not_run_over() -> None:
    blocks = [[MAX_SEQ, 10, 3, zlib.crc32(b"abc")], [MAX_SEQ + 10, 10, 4, zlib.crc32(b"defg")]]
    change = {"first": MAX_SEQ, "last": MAX_SEQ, "blocks": blocks[:1]}
    with pytest.raises(MessageInvalid):
        batch.decode(with_header(change, body=b"abc"), None)


def test_too_many_bytes_are_refused_before_they_are_read() -> None:
    payload = batch.encode("demo", "pi-17", lease(b"x" * 1000))
    with pytest.raises(MessageInvalid, match="500 is the most"):
        batch.decode(payload, None, max_bytes=500)


def test_too_many_blocks_are_refused() -> None:
    many = tuple(Block(1 + at, 1, b"x") for at in range(batch.MAX_BLOCKS + 1))
    with pytest.raises(MessageInvalid, match="blocks"):
        batch.decode(batch.encode("demo", "pi-17", Lease(EPOCH, 1, many, live=True)), None)


def test_losses_are_in_order_below_the_blocks_and_cut_to_what_a_collector_takes() -> None:
    blocks = (Block(1001, 1, b"x"),)
    many = tuple(Loss(2 * n + 1, 2 * n + 1, "evicted") for n in range(batch.MAX_LOST + 5))
    got = batch.decode(batch.encode("demo", "pi-17", Lease(EPOCH, 1001, blocks, live=True, lost=many)), None)
    assert got.lease.lost == many[: batch.MAX_LOST]
    for wrong in [(many[1], many[0]), (Loss(1000, 1001, "damaged"),)]:
        assert refused(batch.encode("demo", "pi-17", Lease(EPOCH, 1001, blocks, live=True, lost=wrong)))


def test_a_batch_without_blocks_declares_what_is_lost() -> None:
    loss = Loss(1, 40, "evicted", 5, 6)
    gone = Lease(EPOCH, 41, (), live=False, stream="metric", lost=(loss,), declared=40)
    assert batch.decode(batch.encode("demo", "pi-17", gone, SIGNER), VERIFIER).lease == gone
