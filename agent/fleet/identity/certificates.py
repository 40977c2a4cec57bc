"""X.509 certificates of a fleet (RFC 5280): P-256 keys, the name in CN, and nothing that nobody needs.

A certificate is valid from 2020 on, whenever it was made: a board without a clock of its own starts somewhere
in the past, and would take its broker for one of the future.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from agent.errors import ConfigInvalid

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPublicKeyTypes

Kind = Literal["client", "server"]
DAYS = 3650
"""Days that a certificate lasts by itself: longer than any device is expected to be away."""
_CA_DAYS = 7305
_SINCE = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_MOST_REQUEST = 16 << 10
_USES = {"client": ExtendedKeyUsageOID.CLIENT_AUTH, "server": ExtendedKeyUsageOID.SERVER_AUTH}


@dataclass(frozen=True, slots=True)
class Issuer:
    """A certificate authority with its key. What that is never shows."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    def __repr__(self) -> str:
        """Name the authority, and nothing of its key."""
        return f"Issuer({self.certificate.subject.rfc4514_string()})"


def new_key() -> ec.EllipticCurvePrivateKey:
    """Make a P-256 key: what all TLS libraries and secure elements take."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Give a private key as PEM (PKCS #8), not encrypted: a service reads it by itself."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def pem(certificate: x509.Certificate) -> bytes:
    """Give a certificate as PEM."""
    return certificate.public_bytes(Encoding.PEM)


def serial(certificate: x509.Certificate) -> str:
    """Give a certificate's number as the inventory has it: hexadecimal, lower case."""
    return f"{certificate.serial_number:x}"


def ends(certificate: x509.Certificate) -> dt.datetime:
    """Give the moment after which a certificate is not valid, UTC; what releases before 42 call otherwise."""
    found: dt.datetime = (
        certificate.not_valid_after_utc
        if hasattr(certificate, "not_valid_after_utc")
        else certificate.not_valid_after.replace(tzinfo=dt.UTC)
    )
    return found


def new_authority(fleet: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """Make the fleet's authority: it signs itself, lasts 20 years, and vouches for ends only."""
    name = _name(f"Edge Agent fleet {fleet}"[:64])
    usage = _usage(key_cert_sign=True, crl_sign=True)
    made = (
        _begun(name, name, key.public_key(), _CA_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return made.sign(key, SHA256())


def issue(
    issuer: Issuer,
    subject: str,
    key: CertificateIssuerPublicKeyTypes,
    *,
    kind: Kind = "client",
    days: int = DAYS,
    names: Sequence[str] = (),
) -> x509.Certificate:
    """Vouch for a key.

    Args:
        issuer: the fleet's authority.
        subject: the name: what a broker takes for the user name.
        key: the public half.
        kind: which end of a connection it may be.
        days: how long from now; never longer than the authority itself.
        names: host names and addresses, for a server.

    Raises:
        ConfigInvalid: the clock of this machine is years behind.
    """
    made = (
        _begun(_name(subject), issuer.certificate.subject, key, days, ends(issuer.certificate))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(digital_signature=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([_USES[kind]]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False
        )
    )
    if names:
        made = made.add_extension(x509.SubjectAlternativeName([_host(one) for one in names]), critical=False)
    return made.sign(issuer.key, SHA256())


def revocations(
    issuer: Issuer, before: x509.CertificateRevocationList | None, more: Sequence[int]
) -> x509.CertificateRevocationList:
    """Give the list of revoked certificates (RFC 5280, section 5), with these numbers beside those before.

    It lasts as long as the authority, and from 2020 on: a broker that takes its list for one of the past or
    of the future, because a clock is wrong, refuses everybody.
    """
    now = dt.datetime.now(dt.UTC)
    known = {one.serial_number: one for one in before or ()}
    number = 1
    if before is not None:
        number += before.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number
    made = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(_SINCE)
        .next_update(ends(issuer.certificate))
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False
        )
    )
    for one in known.values():
        made = made.add_revoked_certificate(one)
    for each in sorted(set(more) - set(known)):
        built = x509.RevokedCertificateBuilder().serial_number(each).revocation_date(now).build()
        made = made.add_revoked_certificate(built)
    return made.sign(issuer.key, SHA256())


def read_request(content: bytes, where: str, subject: str) -> ec.EllipticCurvePublicKey:
    """Give the key of a request for a certificate (PKCS #10) whose signature proves that its maker has it.

    Args:
        content: PEM, from outside.
        where: where it comes from, for errors.
        subject: the device's name; the request must say it, too.

    Raises:
        ConfigInvalid: it is none, its signature is wrong, it is not P-256, or for another device.
    """
    op, hint = "read request", "Have the device make a new one"
    if len(content) > _MOST_REQUEST:
        raise ConfigInvalid(op, where, "it is longer than 16 KiB", hint)
    try:
        request = x509.load_pem_x509_csr(content)
        sound, key = request.is_signature_valid, request.public_key()
        said = [one.value for one in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion) as error:
        raise ConfigInvalid(op, where, "it is no request in PEM format (PKCS #10)", hint) from error
    if not sound:
        raise ConfigInvalid(op, where, "its signature is wrong", hint)
    if not (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)):
        raise ConfigInvalid(op, where, "its key is not P-256", hint)
    if said != [subject]:
        problem = f"it is for {', '.join(map(repr, said)) or 'nobody'}, not for {subject!r}"
        raise ConfigInvalid(op, where, problem, f"Its common name (CN) must be {subject}")
    return key


def _begun(
    subject: x509.Name,
    issuer: x509.Name,
    key: CertificateIssuerPublicKeyTypes,
    days: int,
    latest: dt.datetime | None = None,
) -> x509.CertificateBuilder:
    until = dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
    until = min(until, latest) if latest else until
    if until <= _SINCE:
        problem = f"it would end on {until.date()}: the clock of this machine is wrong"
        raise ConfigInvalid("make certificate for", subject.rfc4514_string(), problem, "Set the clock")
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(_SINCE)
        .not_valid_after(until)
    )


def _usage(**wanted: bool) -> x509.KeyUsage:
    uses = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{use: wanted.get(use, False) for use in uses})


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _host(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
