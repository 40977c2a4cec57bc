"""Envelopes: nothing is taken out of one before somebody whose word counts has vouched for it."""

from __future__ import annotations

import base64
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import MessageInvalid, NotSigned
from agent.trust import dsse
from agent.trust.signing import Signer, Verifier, generate

PAIRS = [generate() for _ in range(3)]
SIGNERS = [Signer.from_pem(private) for private, _ in PAIRS]
VERIFIERS = [Verifier.from_pem(public) for _, public in PAIRS]
KIND, MOST = "application/vnd.test+json", 4096


def opened(envelope: bytes, verifiers: list[Verifier] | None, kind: str = KIND) -> bytes:
    return dsse.unseal(envelope, kind, verifiers, what="thing", most=MOST)


def said_of(envelope: bytes, verifiers: list[Verifier]) -> str:
    """Open an envelope: the document in it is ours, or the refusal is given."""
    try:
        document = opened(envelope, verifiers)
    except MessageInvalid as error:
        return str(error)
    assert document == b"document"
    return ""


def changed(envelope: bytes, **fields: Any) -> bytes:
    return orjson.dumps({**orjson.loads(envelope), **fields})


@given(st.binary(max_size=1000), st.sets(st.integers(0, 2)), st.sets(st.integers(0, 2)))
def test_a_document_comes_out_when_one_who_signed_it_is_believed(
    document: bytes, signed: set[int], believed: set[int]
) -> None:
    envelope = dsse.seal(KIND, document, *(SIGNERS[one] for one in signed))
    assert opened(envelope, None) == document
    if signed & believed:
        assert opened(envelope, [VERIFIERS[one] for one in believed]) == document
    else:
        with pytest.raises(NotSigned):
            opened(envelope, [VERIFIERS[one] for one in believed])


@given(st.binary(max_size=300) | st.text().map(str.encode))
def test_bytes_that_are_no_envelope_are_refused_in_a_line(junk: bytes) -> None:
    with pytest.raises(MessageInvalid) as caught:
        opened(junk, VERIFIERS)
    assert "\n" not in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.sampled_from(["payload", "payloadType", "signatures", "more"]), JSON))
def test_an_envelope_whose_parts_are_anything_is_refused_or_read_as_it_was(parts: dict[str, Any]) -> None:
    envelope = dsse.seal(KIND, b"document", SIGNERS[0])
    try:
        body = orjson.dumps({**orjson.loads(envelope), **parts})
    except TypeError:  # an integer of more than 64 bits
        return
    assert said_of(body, VERIFIERS).isprintable()


@given(st.integers(0, 7), st.data())
def test_a_bit_that_is_turned_anywhere_changes_no_document(bit: int, data: st.DataObject) -> None:
    envelope = bytearray(dsse.seal(KIND, b"document", SIGNERS[0]))
    envelope[data.draw(st.integers(0, len(envelope) - 1))] ^= 1 << bit
    said_of(bytes(envelope), VERIFIERS[:1])


def test_another_kind_is_refused_even_if_it_is_signed_as_ours() -> None:
    envelope = dsse.seal("a/b", b"x", SIGNERS[0])
    with pytest.raises(MessageInvalid, match="it is no thing"):
        opened(envelope, VERIFIERS)
    with pytest.raises(NotSigned):  # the signature is bound to its kind
        opened(changed(envelope, payloadType=KIND), VERIFIERS)


def test_a_signature_under_anybodys_name_counts_by_what_it_proves() -> None:
    envelope = dsse.seal(KIND, b"x", SIGNERS[0])
    [signature] = orjson.loads(envelope)["signatures"]
    renamed = changed(envelope, signatures=[{**signature, "keyid": SIGNERS[1].key_id}])
    assert opened(renamed, VERIFIERS[:1]) == b"x"
    with pytest.raises(NotSigned):
        opened(renamed, VERIFIERS[1:])


def test_one_good_signature_among_bad_ones_is_enough() -> None:
    envelope = dsse.seal(KIND, b"x", SIGNERS[0])
    [good] = orjson.loads(envelope)["signatures"]
    bad = [{"sig": "no base64"}, {"sig": "ü"}, {"sig": base64.b64encode(bytes(64)).decode()}]
    assert opened(changed(envelope, signatures=[*bad, good]), VERIFIERS) == b"x"
    with pytest.raises(MessageInvalid, match="signatures: "):
        opened(changed(envelope, signatures=[*bad, good, good]), VERIFIERS)


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"payload": "ü"}, "its payload is not base64"),
        ({"payload": "a"}, "its payload is not base64"),
        ({"payload": 1}, "payload: "),
        ({"signatures": []}, "it is not signed"),
        ({"signatures": [{"sig": "A" * 129}]}, "signatures.0.sig: "),
    ],
)
def test_what_is_wrong_with_an_envelope_is_told(fields: dict[str, Any], problem: str) -> None:
    envelope = changed(dsse.seal(KIND, b"x", SIGNERS[0]), **fields)
    with pytest.raises(MessageInvalid, match=problem):
        opened(envelope, VERIFIERS)


def test_an_envelope_that_is_too_large_is_not_looked_into() -> None:
    with pytest.raises(MessageInvalid, match="4097 bytes, and 4096 is the most"):
        opened(b"{" * (MOST + 1), VERIFIERS)


def test_the_form_is_dsses() -> None:
    envelope = orjson.loads(dsse.seal(KIND, b"hello", SIGNERS[0]))
    assert envelope.keys() == {"payloadType", "payload", "signatures"}
    assert (envelope["payloadType"], base64.b64decode(envelope["payload"])) == (KIND, b"hello")
    [signature] = envelope["signatures"]
    assert signature["keyid"] == SIGNERS[0].key_id
    VERIFIERS[0].verify(KIND, b"hello", base64.b64decode(signature["sig"]))
