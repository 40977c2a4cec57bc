"""Requests for certificates, and what a certificate says (RFC 2986, RFC 5280), on the device. Pure.

Written for every release of the cryptography package from 38 on: a board's is its distribution's.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.errors import Rejected

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

MOST_BYTES = 8 << 10
"""Bytes of a certificate as PEM."""
_BEGIN = b"-----BEGIN CERTIFICATE-----"
_MOST_AUTHORITIES = 32
_OP, _HINT = "take certificate", "Have the operator sign the newest request: edgectl renew"


@dataclass(frozen=True, slots=True)
class Facts:
    """What a certificate says: its number, hexadecimal, and its last second, since 1970."""

    serial: str
    until_s: float


def new_key() -> bytes:
    """Make a P-256 key; give it as PEM (PKCS #8)."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(serialization.Encoding.PEM, form, plain)


def request(key: bytes, device: str) -> str:
    """Give the request for a certificate of this key in the device's name, as PEM (PKCS #10).

    Raises:
        ValueError: it is no P-256 key.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import NameOID

    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device)])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(_key(key), SHA256())
    return made.public_bytes(Encoding.PEM).decode("ascii")


def facts(content: bytes) -> Facts:
    """Read the first certificate of a PEM file.

    Raises:
        ValueError: there is none.
    """
    from cryptography import x509

    found = x509.load_pem_x509_certificate(content[content.index(_BEGIN) :])
    return Facts(f"{found.serial_number:x}", _until(found).timestamp())


def belongs(content: bytes, key: bytes) -> bool:
    """Whether a certificate, PEM, is for this private key, PEM."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    try:
        certified = x509.load_pem_x509_certificate(content).public_key().public_bytes(*form)
        return certified == _key(key).public_key().public_bytes(*form)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False


def check(content: bytes, device: str, authorities: bytes, now_s: float) -> Facts:
    """Prove a certificate before a broker is shown it; give what it says.

    Args:
        content: PEM, one certificate.
        device: the name that it must have.
        authorities: PEM, those of which one must have signed it.
        now_s: the wall clock, seconds since 1970; a clock of the past refuses nothing.

    Raises:
        Rejected: it is none, is in another's name, of nobody whom we know, or over; or the authorities are no
            certificates.
    """
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.x509.oid import NameOID

    if len(content) > MOST_BYTES or content.count(_BEGIN) != 1:
        raise Rejected(_OP, device, "it is not one certificate in PEM format", _HINT)
    known = _read(authorities)
    try:  # what is wrong within a certificate shows only where it is asked for
        found = x509.load_pem_x509_certificate(content)
        names = [one.value for one in found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
        signed = any(_signed(found, one) for one in known)
        until_s = facts(content).until_s
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise Rejected(_OP, device, "it is no certificate in PEM format", _HINT) from error
    if names != [device]:
        raise Rejected(_OP, device, "it is in another device's name", _HINT)
    if not signed:
        problem = "none of the authorities in mqtt.ca_file has signed it"
        raise Rejected(_OP, device, problem, "Put the one that signs devices there, too")
    if until_s <= now_s:
        raise Rejected(_OP, device, "its time is over, as this device's clock has it", _HINT)
    return facts(content)


def _read(authorities: bytes) -> list[x509.Certificate]:
    from cryptography import x509

    parts = authorities.split(_BEGIN)[1 : _MOST_AUTHORITIES + 1]
    try:
        return [x509.load_pem_x509_certificate(_BEGIN + part) for part in parts]
    except ValueError as error:
        problem = "it holds something that is no certificate"
        raise Rejected(
            "read", "mqtt.ca_file", problem, "Put whole certificates there, in PEM format"
        ) from error


def _signed(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

    if certificate.issuer != authority.subject or certificate.signature_hash_algorithm is None:
        return False
    key, digest = authority.public_key(), certificate.signature_hash_algorithm
    try:
        if isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(certificate.signature, certificate.tbs_certificate_bytes, ec.ECDSA(digest))
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(certificate.signature, certificate.tbs_certificate_bytes, padding.PKCS1v15(), digest)
        else:
            return False
    except InvalidSignature:
        return False
    return True


def _key(pem: bytes) -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(pem, password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("it is no P-256 key")  # noqa: TRY004 - the content is wrong, not the type
    return key


def _until(certificate: x509.Certificate) -> dt.datetime:
    if hasattr(certificate, "not_valid_after_utc"):
        found: dt.datetime = certificate.not_valid_after_utc
        return found
    return certificate.not_valid_after.replace(tzinfo=dt.UTC)
