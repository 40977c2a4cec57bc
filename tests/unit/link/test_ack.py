"""Acknowledgements survive the trip, stay bounded, and nothing else passes for one."""

from __future__ import annotations

import base64

import orjson
import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from agent.errors import MessageInvalid
from agent.link import ack
from agent.trust.signing import Signer, Verifier, generate

EPOCH = "0123456789abcdef"


@st.composite
def stored(draw: st.DrawFn) -> ack.Extent:
    edges = draw(st.lists(st.integers(0, 1 << 52), unique=True, max_size=21).map(sorted))
    upto, *rest = edges or [0]
    return upto, tuple(zip(rest[::2], rest[1::2], strict=False))


streams = st.dictionaries(
    st.sampled_from(["result", "alert", "metric"]),
    st.dictionaries(st.from_regex(r"[0-9a-f]{16}", fullmatch=True), stored(), max_size=5),
)


PRIVATE, PUBLIC = generate()
SIGNER, VERIFIER = Signer.from_pem(PRIVATE), Verifier.from_pem(PUBLIC)


def enveloped(document: bytes, **change: object) -> bytes:
    payload = base64.b64encode(document).decode()
    return orjson.dumps({"payloadType": ack.KIND, "payload": payload, "signatures": [], **change})


@given(streams, st.booleans(), st.booleans())
def test_what_is_encoded_is_decoded(
    wanted: dict[str, dict[str, ack.Extent]], again: bool, signed: bool
) -> None:
    payload = ack.encode("demo", "pi-17", wanted, again=again, signer=SIGNER if signed else None)
    got = ack.decode(payload, VERIFIER if signed else None)
    assert (got.device, got.again) == ("pi-17", again)
    assert {
        stream: {epoch: (entry.upto, entry.have) for epoch, entry in epochs.items()}
        for stream, epochs in got.streams.items()
    } == wanted


@given(streams, st.data())
def test_a_mutated_acknowledgement_is_valid_or_refused(
    wanted: dict[str, dict[str, ack.Extent]], data: st.DataObject
) -> None:
    payload = bytearray(ack.encode("demo", "pi-17", wanted))
    at = data.draw(st.integers(0, len(payload) - 1))
    payload[at] ^= data.draw(st.integers(1, 255))
    try:
        ack.decode(bytes(payload), None)
    except MessageInvalid:
        event("refused")
    with pytest.raises(MessageInvalid):
        ack.decode(ack.encode("demo", "pi-17", wanted)[:-1], None)


@given(streams, st.data())
def test_a_signed_acknowledgement_says_what_was_signed_or_is_refused(
    wanted: dict[str, dict[str, ack.Extent]], data: st.DataObject
) -> None:
    payload = bytearray(ack.encode("demo", "pi-17", wanted, signer=SIGNER))
    original = ack.decode(bytes(payload), VERIFIER)
    at = data.draw(st.integers(0, len(payload) * 8 - 1))
    payload[at // 8] ^= 1 << at % 8
    try:
        got = ack.decode(bytes(payload), VERIFIER)
    except MessageInvalid:
        event("refused")
    else:  # the key's id is a hint, and names beside the standard's do not count
        assert got == original


def test_an_acknowledgement_that_nobody_or_somebody_else_signed_is_refused() -> None:
    other = Signer.from_pem(generate()[0])
    for wrong in (ack.encode("demo", "pi-17", {}), ack.encode("demo", "pi-17", {}, signer=other)):
        with pytest.raises(MessageInvalid, match="not signed"):
            ack.decode(wrong, VERIFIER)
    document = orjson.dumps({"v": 1, "fleet": "demo", "device": "pi-17", "streams": {}})
    as_batch = base64.b64encode(SIGNER.sign("application/vnd.edge-agent.batch", document)).decode()
    with pytest.raises(MessageInvalid, match="not signed"):
        ack.decode(enveloped(document, signatures=[{"keyid": SIGNER.key_id, "sig": as_batch}]), VERIFIER)


def test_one_good_signature_of_several_is_enough() -> None:
    document = orjson.dumps({"v": 1, "fleet": "demo", "device": "pi-17", "streams": {}})
    signers = [Signer.from_pem(generate()[0]), SIGNER]
    found = [{"sig": base64.b64encode(one.sign(ack.KIND, document)).decode()} for one in signers]
    assert ack.decode(enveloped(document, signatures=found), VERIFIER).device == "pi-17"
    with pytest.raises(MessageInvalid):
        ack.decode(enveloped(document, signatures=found * 3), VERIFIER)


@pytest.mark.parametrize(
    "change",
    [
        {"payloadType": "text/plain"},
        {"payload": "#"},
        {"payload": 1},
        {"signatures": None},
        {"signatures": [1]},
    ],
)
def test_an_envelope_that_makes_no_sense_is_refused(change: dict[str, object]) -> None:
    document = b'{"v": 1, "fleet": "demo", "device": "pi-17", "streams": {}}'
    ack.decode(enveloped(document), None)
    with pytest.raises(MessageInvalid):
        ack.decode(enveloped(document, **change), None)


@given(st.binary(max_size=200))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(MessageInvalid):
        ack.decode(noise, None)


def test_many_epochs_and_ranges_are_cut_to_what_a_device_accepts() -> None:
    ranges = tuple((10 * n, 10 * n + 5) for n in range(1, 200))
    epochs = {f"{n:016x}": (3, ranges) for n in range(300)}
    payload = ack.encode("demo", "pi-17", {"result": epochs})
    assert len(payload) < ack.MAX_ACK
    got = ack.decode(payload, None).streams["result"]
    assert list(got) == list(epochs)[: ack.MAX_EPOCHS]
    assert got[f"{0:016x}"].have == ranges[: ack.MAX_RANGES]


@pytest.mark.parametrize(
    "entry",
    [
        '{"upto": -1}',
        '{"upto": 1.0}',
        '{"upto": "1"}',
        '{"upto": true}',
        '{"upto": 9007199254740992}',
        '{"upto": 5, "have": [[5, 9]]}',
        '{"upto": 5, "have": [[9, 7]]}',
        '{"upto": 5, "have": [[7, 9], [9, 12]]}',
        '{"upto": 5, "have": [[7]]}',
        '{"upto": 5, "else": 1}',
        "5",
    ],
)
def test_an_entry_that_makes_no_sense_is_refused(entry: str) -> None:
    text = f'{{"v": 1, "fleet": "demo", "device": "pi-17", "streams": {{"result": {{"{EPOCH}": {entry}}}}}}}'
    with pytest.raises(MessageInvalid):
        ack.decode(enveloped(text.encode()), None)


def test_a_large_message_is_refused_before_it_is_read() -> None:
    with pytest.raises(MessageInvalid, match="is the most"):
        ack.decode(b" " * (ack.MAX_ACK + 1), None)


def test_a_peers_words_cannot_break_the_line_of_the_log() -> None:
    words = b'{"v":1,"fleet":"demo","device":"a","streams":{"\\n\\u001b[31m' + b"x" * 5000 + b'":{}}}'
    with pytest.raises(MessageInvalid) as caught:
        ack.decode(enveloped(words), None)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


def test_deep_json_is_refused() -> None:
    with pytest.raises(MessageInvalid):
        ack.decode(enveloped(b'{"v":1,"fleet":"demo","device":"a","streams":' + b"[" * 50_000), None)
    with pytest.raises(MessageInvalid):
        ack.decode(b'{"payload":' + b"[" * 50_000, None)
