"""Keys are read or refused with a reason, show nothing, and prove what they have signed."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from agent.errors import MessageInvalid
from agent.trust.signing import Signer, Verifier, encoded, generate

PRIVATE, PUBLIC = generate()
PEM = serialization.Encoding.PEM


@given(st.binary(max_size=200))
def test_a_signature_holds_for_its_kind_and_content_alone(body: bytes) -> None:
    signature = Signer.from_pem(PRIVATE).sign("a/b", body)
    verifier = Verifier.from_pem(PUBLIC)
    verifier.verify("a/b", body, signature)
    for kind, other in (("a/c", body), ("a/b", body + b"x")):
        with pytest.raises(MessageInvalid, match="not signed with the key"):
            verifier.verify(kind, other, signature)
    for wrong in (b"", signature[:-1], bytes(64)):
        with pytest.raises(MessageInvalid):
            verifier.verify("a/b", body, wrong)


def test_what_is_signed_is_dsses_encoding() -> None:
    # The example of the standard's text.
    assert encoded("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_both_halves_of_a_pair_have_one_name() -> None:
    assert Signer.from_pem(PRIVATE).key_id == Verifier.from_pem(PUBLIC).key_id
    assert Verifier.from_pem(generate()[1]).key_id != Verifier.from_pem(PUBLIC).key_id


def test_what_is_no_such_key_is_refused_and_never_shown() -> None:
    curve = ec.generate_private_key(ec.SECP256R1())
    none = serialization.NoEncryption()
    ecdsa = curve.private_bytes(PEM, serialization.PrivateFormat.PKCS8, none)
    loaded = serialization.load_pem_private_key(PRIVATE, None)
    locked = loaded.private_bytes(
        PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"secret")
    )
    for pem, problem in [
        (PUBLIC, "it is a public key"),
        (locked, "it is encrypted"),
        (ecdsa, "not an Ed25519 key"),
        (PRIVATE[:60], "no private key in PEM format"),
        (b"", "no private key in PEM format"),
    ]:
        with pytest.raises(ValueError, match=problem) as caught:
            Signer.from_pem(pem)
        assert PRIVATE.splitlines()[1].decode() not in str(caught.value)
    public = curve.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    for pem, problem in [
        (PRIVATE, "it is a private key"),
        (public, "not an Ed25519 key"),
        (b"x", "no public key in PEM format"),
    ]:
        with pytest.raises(ValueError, match=problem):
            Verifier.from_pem(pem)


def test_a_key_does_not_show_in_its_words() -> None:
    signer = Signer.from_pem(PRIVATE)
    assert PRIVATE.splitlines()[1].decode() not in f"{signer!r} {signer} {vars(signer)}"
