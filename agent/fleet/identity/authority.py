"""The fleet's certificate authority: made once, opened with the passphrase of the operator's other keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from agent.errors import ConfigInvalid
from agent.files import write_durably
from agent.fleet.identity import certificates
from agent.fleet.identity.certificates import Issuer
from agent.fleet.identity.place import BROKER, CA, CA_KEY
from agent.fleet.repository.pkcs8 import Sealer, unseal_any
from agent.trust.keys import read_key

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

CRL = "crl.pem"


def make(folder: Path, fleet: str, secret: str) -> list[Path]:
    """Make what is missing of the authority; give the files. The key is durable before its certificate.

    Raises:
        ConfigInvalid: the certificate is missing and the passphrase does not open the key.
        OSError: the disk refuses.
    """
    made: list[Path] = []
    key_file, ca_file = folder / CA_KEY, folder / CA
    if ca_file.exists():
        return made  # the key may lie elsewhere
    if not key_file.exists():
        write_durably(key_file, Sealer(secret).seal(certificates.new_key()))
        made.append(key_file)
    write_durably(ca_file, certificates.pem(certificates.new_authority(fleet, _key(key_file, secret))), 0o644)
    return [*made, ca_file]


def opened(folder: Path, secret: str) -> Issuer:
    """Open the authority.

    Raises:
        ConfigInvalid: a file is missing or damaged, they do not belong together, or the passphrase is wrong.
    """
    ca_file = folder / CA
    try:
        certificate = x509.load_pem_x509_certificate(ca_file.read_bytes())
    except (OSError, ValueError) as error:
        hint = "Put it back from a backup; where there never was one: edgectl init DIR"
        raise ConfigInvalid("read", str(ca_file), _said(error), hint) from error
    key = _key(folder / CA_KEY, secret)
    if certificate.public_key() != key.public_key():
        hint = "Put both back from one backup"
        raise ConfigInvalid("open", str(folder / CA_KEY), "it is not the key of ca.pem", hint)
    return Issuer(certificate, key)


def revoke(folder: Path, issuer: Issuer, numbers: Sequence[int] = ()) -> None:
    """Write the list of revoked certificates, with these beside those that it has.

    Raises:
        ConfigInvalid: the list that is there is damaged, or another authority's.
        OSError: the disk refuses.
    """
    path = folder / BROKER / CRL
    before = None
    if path.exists():
        try:
            before = x509.load_pem_x509_crl(path.read_bytes())
        except ValueError as error:
            raise ConfigInvalid("read", str(path), "it is no list of revocations", "Put it back") from error
        if not before.is_signature_valid(issuer.key.public_key()):
            raise ConfigInvalid(
                "read", str(path), "another authority has signed it", "Put the right one back"
            )
    made = certificates.revocations(issuer, before, numbers)
    write_durably(path, made.public_bytes(Encoding.PEM), 0o644)


def issued(folder: Path, name: str) -> list[x509.Certificate]:
    """Give the certificates that a device was given, first the newest that it has gone over to.

    Raises:
        ConfigInvalid: its file is damaged.
    """
    path = folder / "devices" / f"{name}.pem"
    try:
        return x509.load_pem_x509_certificates(path.read_bytes())
    except FileNotFoundError:
        return []
    except ValueError as error:
        raise ConfigInvalid(
            "read", str(path), "it holds no certificates", "Put it back from a backup"
        ) from error


def _key(path: Path, secret: str) -> ec.EllipticCurvePrivateKey:
    if not path.exists():
        hint = f"Put {path.name} there for as long as it is needed, with mode 0600"
        raise ConfigInvalid("open", f"key {path}", "it is not here", hint)
    try:
        key = unseal_any(read_key(path, "key", private=True), secret)
    except ValueError as error:
        hint = "Check the passphrase" if "passphrase" in str(error) else "Put the right file there"
        raise ConfigInvalid("open", f"key {path}", str(error), hint) from None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ConfigInvalid("open", f"key {path}", "it is not a P-256 key", "Put the right file there")
    return key


def _said(error: Exception) -> str:
    return (error.strerror or str(error)).lower() if isinstance(error, OSError) else "it is no certificate"
