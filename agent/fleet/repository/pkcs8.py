"""Private keys at rest: PKCS #8, encrypted with a passphrase (RFC 5958, RFC 8018, RFC 7914).

The passphrase becomes a key by scrypt with N = 2^14, r = 8, p = 5, which the OWASP Password Storage Cheat
Sheet names among its equals; with 16 MiB it stays below what OpenSSL allows. ``BestAvailableEncryption`` of
the cryptography package is PBKDF2 with 2,048 rounds, where the same page asks for 600,000. What is written,
``openssl pkey -in FILE`` reads.
"""

from __future__ import annotations

import base64
import hashlib
import os
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

_N, _R, _P = 1 << 14, 8, 5
_MEMORY = 64 << 20
_PBES2 = bytes.fromhex("06092a864886f70d01050d")  # 1.2.840.113549.1.5.13
_SCRYPT = bytes.fromhex("06092b06010401da47040b")  # 1.3.6.1.4.1.11591.4.11
_AES_256_CBC = bytes.fromhex("060960864801650304012a")  # 2.16.840.1.101.3.4.1.42
_INTEGER, _OCTETS, _SEQUENCE = 0x02, 0x04, 0x30


class Sealer:
    """Encrypts keys with one passphrase, which costs its third of a second once for all of them."""

    def __init__(self, passphrase: str) -> None:
        self._salt = os.urandom(16)
        self._secret = hashlib.scrypt(
            passphrase.encode(), salt=self._salt, n=_N, r=_R, p=_P, maxmem=_MEMORY, dklen=32
        )

    def seal(self, key: Ed25519PrivateKey | EllipticCurvePrivateKey) -> bytes:
        """Give the key as PEM, encrypted."""
        from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
        from cryptography.hazmat.primitives.padding import PKCS7
        from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

        plain = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        start, padder = os.urandom(16), PKCS7(128).padder()
        cipher = Cipher(algorithms.AES(self._secret), modes.CBC(start)).encryptor()
        hidden = cipher.update(padder.update(plain) + padder.finalize()) + cipher.finalize()
        derived = _der(_SEQUENCE, _der(_OCTETS, self._salt), *(_integer(number) for number in (_N, _R, _P)))
        derivation, vector = _der(_SEQUENCE, _SCRYPT, derived), _der(_OCTETS, start)
        scheme = _der(_SEQUENCE, derivation, _der(_SEQUENCE, _AES_256_CBC, vector))
        whole = _der(_SEQUENCE, _der(_SEQUENCE, _PBES2, scheme), _der(_OCTETS, hidden))
        lines = textwrap.fill(base64.b64encode(whole).decode("ascii"), 64)
        name = "ENCRYPTED PRIVATE KEY"
        return f"-----BEGIN {name}-----\n{lines}\n-----END {name}-----\n".encode()


def unseal_any(pem: bytes, passphrase: str) -> PrivateKeyTypes:
    """Read a key of any kind.

    Raises:
        ValueError: the passphrase is wrong, or it is no key; the message holds nothing of either.
    """
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        return load_pem_private_key(pem, passphrase.encode())
    except TypeError:
        raise ValueError("it is not encrypted, so anyone may have it") from None
    except (ValueError, UnsupportedAlgorithm):
        raise ValueError("the passphrase does not open it") from None


def unseal(pem: bytes, passphrase: str) -> Ed25519PrivateKey:
    """Read an Ed25519 key.

    Raises:
        ValueError: the passphrase is wrong, or it is no such key; the message holds nothing of either.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = unseal_any(pem, passphrase)
    if not isinstance(key, Ed25519PrivateKey):
        raise ValueError("it is not an Ed25519 key")  # noqa: TRY004 - the content is wrong, not the type
    return key


def _der(tag: int, *parts: bytes) -> bytes:
    """Encode a value of less than 64 KiB (X.690)."""
    content = b"".join(parts)
    size = len(content)
    if size < 0x80:
        return bytes((tag, size)) + content
    length = size.to_bytes(2 if size > 0xFF else 1, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def _integer(number: int) -> bytes:
    return _der(_INTEGER, number.to_bytes(number.bit_length() // 8 + 1, "big"))
