"""Makes what is missing of a fleet's identity: its authority, operator's certificates, broker's folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography import x509
from pydantic import ValidationError

from agent.errors import AgentError, ConfigInvalid
from agent.files import advice, write_durably
from agent.fleet import inventory
from agent.fleet.identity import authority, certificates
from agent.fleet.identity.acl import access_list
from agent.fleet.identity.mosquitto import ACL, CONFIG, DATA, configuration
from agent.fleet.identity.place import (
    BROKER,
    CA,
    CLIENTS,
    COLLECTOR,
    HOME,
    OPERATOR,
    PORT,
    Site,
    keep_site,
    read_site,
)
from agent.validation import first_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from agent.fleet.identity.certificates import Issuer

_SERVER = "server"


def begin(folder: Path, ask: Callable[[], str], fleet: str, wanted: Site | None = None) -> list[Path]:
    """Make what is missing; give the files that were made. What is there stays, but for the access list.

    Args:
        folder: the operator's.
        ask: gives the passphrase; not called where nothing is missing.
        fleet: its name.
        wanted: the broker, as ``wanted`` gives it; other names than before get it a new certificate.

    Raises:
        ConfigInvalid: no passphrase, a wrong one, or a damaged file.
        AgentError: the disk refuses.
    """
    made: list[Path] = []
    try:
        if lacking(folder, wanted):
            secret = ask()
            made += authority.make(folder, fleet, secret)
            issuer = authority.opened(folder, secret)
            made += _clients(folder, issuer, wanted)
            if wanted:
                made += _broker(folder, issuer, wanted)
        if wanted and wanted != read_site(folder):
            keep_site(folder, wanted)
        rewrite(folder)
    except OSError as error:
        problem, hint = error.strerror or str(error), advice(error)
        raise AgentError("make certificates in", str(folder), problem, hint) from error
    return made


def lacking(folder: Path, wanted: Site | None) -> bool:
    """Whether something is missing that the authority's key must sign."""
    files = [folder / CA, *(folder / CLIENTS / f"{who}.pem" for who in _who(wanted))]
    if wanted:
        files += [folder / BROKER / f"{_SERVER}.pem", folder / BROKER / authority.CRL]
    return not all(one.exists() for one in files) or (wanted is not None and not _serves(folder, wanted))


def rewrite(folder: Path) -> None:
    """Write the access list as the inventory says now; nothing where no broker was named.

    Raises:
        ConfigInvalid: a file is damaged.
        OSError: the disk refuses.
    """
    if site := read_site(folder):
        text = access_list(site, inventory.read(folder)).encode()
        path = folder / BROKER / ACL
        if not path.exists() or path.read_bytes() != text:
            write_durably(path, text)


def wanted(
    folder: Path, fleet: str, names: Sequence[str], home_assistant: str | None, port: int | None = None
) -> Site | None:
    """Give the broker as it shall be; None where none is known.

    Args:
        folder: the operator's.
        fleet: its name.
        names: the broker's; none: as before.
        home_assistant: the prefix of its discovery; None: as before.
        port: where the broker listens; None: as before.

    Raises:
        ConfigInvalid: the folder is another fleet's, or the prefix is no topic's.
    """
    before = read_site(folder)
    if before is None:
        if (home_assistant or port) and not names:
            option = "--home-assistant" if home_assistant else "--port"
            raise ConfigInvalid("use", option, "no broker is known yet", "Name it, too: --broker HOST")
        return _site(fleet, tuple(names), home_assistant or "", port or PORT) if names else None
    if names and fleet != before.fleet:
        hint = f"Give --fleet {before.fleet}, or take another folder: a folder is for one fleet"
        raise ConfigInvalid("make certificates in", str(folder), f"it is of the fleet {before.fleet}", hint)
    home = before.home_assistant if home_assistant is None else home_assistant
    return _site(before.fleet, tuple(names) or before.names, home, port or before.port)


def _site(fleet: str, names: tuple[str, ...], home_assistant: str, port: int) -> Site:
    try:
        return Site(fleet=fleet, names=names, home_assistant=home_assistant, port=port)
    except ValidationError as error:
        hint = "Give at most 16 names, and a prefix of letters, digits, '-', '_' and '/'"
        raise ConfigInvalid("use", "--broker, --home-assistant", first_problem(error), hint) from error


def _who(site: Site | None) -> dict[str, str]:
    """Give the files of those who are no devices, and their user names."""
    more = {"home-assistant": HOME} if site and site.home_assistant else {}
    return {"operator": OPERATOR, "collector": COLLECTOR, **more}


def _clients(folder: Path, issuer: Issuer, site: Site | None) -> list[Path]:
    made: list[Path] = []
    (folder / CLIENTS).mkdir(mode=0o700, exist_ok=True)
    for who, user in _who(site).items():
        if not (folder / CLIENTS / f"{who}.pem").exists():
            made += _pair(folder / CLIENTS / who, issuer, user)
    return made


def _broker(folder: Path, issuer: Issuer, site: Site) -> list[Path]:
    place = folder / BROKER
    for one in (place, place / DATA):
        one.mkdir(mode=0o700, exist_ok=True)
    made: list[Path] = []
    if not _serves(folder, site):
        made += _pair(place / _SERVER, issuer, site.names[0][:64], site.names)
    ca = (folder / CA).read_bytes()
    if not (place / CA).exists() or (place / CA).read_bytes() != ca:
        write_durably(place / CA, ca, 0o644)
        made.append(place / CA)
    if not (place / authority.CRL).exists():
        authority.revoke(folder, issuer, _out(folder))
        made.append(place / authority.CRL)
    if not (place / CONFIG).exists():
        write_durably(place / CONFIG, configuration(folder, site.port).encode(), 0o644)
        made.append(place / CONFIG)
    return [*made, place / ACL]


def _out(folder: Path) -> list[int]:
    """Give the numbers of the certificates of devices that are out: a list that was lost has them again."""
    names = [one.name for one in inventory.read(folder) if one.revoked]
    return [one.serial_number for name in names for one in authority.issued(folder, name)]


def _serves(folder: Path, site: Site) -> bool:
    """Whether the broker's certificate is there, of this authority, and has these names."""
    place = folder / BROKER
    before = read_site(folder)
    if before is None or set(before.names) != set(site.names):
        return False
    try:
        found = x509.load_pem_x509_certificate((place / f"{_SERVER}.pem").read_bytes())
        ca = x509.load_pem_x509_certificate((folder / CA).read_bytes())
    except (OSError, ValueError):
        return False
    return found.issuer == ca.subject and (place / f"{_SERVER}.key").exists()


def _pair(stem: Path, issuer: Issuer, subject: str, names: Sequence[str] = ()) -> list[Path]:
    """Make a key and its certificate; the key first, so that no certificate is without one."""
    key = certificates.new_key()
    certificate = certificates.issue(
        issuer, subject, key.public_key(), kind="server" if names else "client", names=names
    )
    private, public = stem.with_name(f"{stem.name}.key"), stem.with_name(f"{stem.name}.pem")
    write_durably(private, certificates.key_pem(key))
    write_durably(public, certificates.pem(certificate), 0o644)
    return [private, public]
