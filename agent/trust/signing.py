"""Signatures: Ed25519 (RFC 8032) over what DSSE calls the pre-authentication encoding.

The encoding names the kind of what is signed, so that no message of one kind passes for one of another:
https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from agent.errors import NotSigned

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNATURE_BYTES = 64
KEY_ID_DIGITS = 16


def encoded(kind: str, body: bytes) -> bytes:
    """What is signed of a ``body`` of this kind (a media type): PAE of DSSE v1."""
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode("ascii"), len(body), body)


class Signer:
    """A private key. What it is never shows: neither in ``repr`` nor in an error.

    Attributes:
        key_id: the public key's name, 16 hex digits.
    """

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.key_id = _key_id(key.public_key())

    @classmethod
    def from_pem(cls, pem: bytes) -> Signer:
        """Read a private key (PKCS #8, not encrypted).

        Raises:
            ValueError: it is no such key; the message says what it is, and nothing of its content.
        """
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        if b"PUBLIC KEY" in pem:
            raise ValueError("it is a public key, and a private one is needed")
        try:
            key = load_pem_private_key(pem, password=None)
        except TypeError:
            raise ValueError("it is encrypted, and nobody is there to type the password") from None
        except (ValueError, UnsupportedAlgorithm):
            raise ValueError("it is no private key in PEM format") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("it is not an Ed25519 key")  # noqa: TRY004 - the content is wrong, not the type
        return cls(key)

    def public_pem(self) -> bytes:
        """Give the public key that belongs to it (SubjectPublicKeyInfo)."""
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        return self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def sign(self, kind: str, body: bytes) -> bytes:
        """Give the 64 bytes that prove that the key's owner has seen ``body`` as this kind."""
        return self._key.sign(encoded(kind, body))


class Verifier:
    """A public key.

    Attributes:
        key_id: its name, 16 hex digits.
    """

    def __init__(self, key: Ed25519PublicKey) -> None:
        self._key = key
        self.key_id = _key_id(key)

    @classmethod
    def from_pem(cls, pem: bytes) -> Verifier:
        """Read a public key (SubjectPublicKeyInfo).

        Raises:
            ValueError: it is no such key; the message says what it is, and nothing of its content.
        """
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
        from cryptography.hazmat.primitives.serialization import load_pem_public_key

        if b"PRIVATE KEY" in pem:
            raise ValueError("it is a private key, and the public one is needed")
        try:
            key = load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm):
            raise ValueError("it is no public key in PEM format") from None
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError("it is not an Ed25519 key")  # noqa: TRY004 - the content is wrong, not the type
        return cls(key)

    def verify(self, kind: str, body: bytes, signature: bytes) -> None:
        """Check that the key's owner has signed ``body`` as this kind.

        Raises:
            NotSigned: not so.
        """
        from cryptography.exceptions import InvalidSignature

        try:
            self._key.verify(signature, encoded(kind, body))
        except InvalidSignature:
            problem = f"it is not signed with the key {self.key_id}"
            raise NotSigned("verify", kind, problem) from None


def generate() -> tuple[bytes, bytes]:
    """Make a key pair: the private key (PKCS #8) and the public one (SubjectPublicKeyInfo), as PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private, key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)


def _key_id(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:KEY_ID_DIGITS]
