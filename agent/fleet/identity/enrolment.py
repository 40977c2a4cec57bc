"""Takes devices into the fleet: keys, certificates, inventory, access list, and what each is given."""

from __future__ import annotations

import functools
import io
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.errors import AgentError, ConfigInvalid
from agent.files import advice
from agent.fleet import inventory
from agent.fleet.identity import authority, bundle, certificates
from agent.fleet.identity.begin import rewrite
from agent.fleet.identity.place import need_site
from agent.fleet.keys import COLLECTOR, DEVICES, alone, check_names
from agent.fleet.writing import write_together
from agent.trust.keys import read_signer
from agent.trust.signing import Signer, generate
from agent.validation import tables

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from cryptography import x509

    from agent.fleet.identity.certificates import Issuer
    from agent.fleet.identity.place import Site
    from agent.fleet.writing import File

_ROOT = "tuf/meta/1.root.json"
_AT_ONCE = 250
"""Devices whose files are written together."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line says.

    Attributes:
        folder: the operator's.
        names: the devices'.
        out: where bundles go.
        groups: of all these devices; None leaves each in its own.
        days: that a certificate lasts.
        host: the broker's name for them; "" takes the first that it has.
        again: make new keys and certificates for devices that have them.
        archive: one compressed archive a device instead of a folder.
        request: of a device that keeps its key; for one device.
        pipelines: the rest of the configuration, TOML; "" for a pipeline on a drawn camera.
    """

    folder: Path
    names: tuple[str, ...]
    out: Path
    groups: tuple[str, ...] | None = None
    days: int = certificates.DAYS
    host: str = ""
    again: bool = False
    archive: bool = False
    request: bytes | None = None
    pipelines: str = ""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """A device of the fleet; ``place`` is its bundle, None where it had what it needs already.

    Attributes:
        serial: its certificate's number, hexadecimal.
        until: the day on which that ends, ISO 8601.
        whole: whether its signing key is in the bundle; else it has left the operator's folder before.
    """

    name: str
    serial: str
    until: str
    groups: tuple[str, ...]
    place: Path | None = None
    whole: bool = True


def enroll(
    options: Options, ask: Callable[[], str], step: Callable[[int, int], object] = lambda _, __: None
) -> list[Enrolled]:
    """Enrol devices; those that are enrolled keep what they have, but for their groups.

    Args:
        options: whom, and how.
        ask: gives the passphrase; called when a certificate is to be signed.
        step: told how many are done, of how many.

    Raises:
        ConfigInvalid: a name or group is none, there are too many groups, the broker has no certificate for
            the name that devices shall call it by, the configuration is none, a request is refused, a key
            may have been taken away, or the folder has no authority.
        AgentError: the disk refuses.
    """
    check_names([*options.names, *(options.groups or ())])
    if len(set(options.groups or ())) > inventory.MOST_GROUPS:
        hint = f"Name {inventory.MOST_GROUPS} of them at most"
        raise ConfigInvalid("enrol", options.names[0], "it cannot be in so many groups", hint)
    site = need_site(options.folder)
    _check_host(options.folder, site, options.host)
    _check_tables(site, options.pipelines)
    ask = functools.cache(ask)
    if options.again or not all(_is_enrolled(options.folder, name) for name in options.names):
        ask()  # before others are kept out: a person may take their time
    try:
        with alone(options.folder):
            return _enrolled(options, site, ask, step)
    except OSError as error:
        problem, hint = error.strerror or str(error), advice(error)
        raise AgentError("enrol devices into", str(options.folder), problem, hint) from error


def _is_enrolled(folder: Path, name: str) -> bool:
    entry = inventory.find(folder, name)
    return bool(entry.serial) and not entry.revoked


def _enrolled(
    options: Options, site: Site, ask: Callable[[], str], step: Callable[[int, int], object]
) -> list[Enrolled]:
    issuer: Issuer | None = None
    found: list[Enrolled] = []
    options.out.mkdir(mode=0o700, parents=True, exist_ok=True)
    files: dict[Path, File] = {}
    for number, name in enumerate(options.names, start=1):
        entry = inventory.find(options.folder, name)
        groups = entry.groups if options.groups is None else tuple(sorted(set(options.groups)))
        has = [] if entry.revoked else authority.issued(options.folder, name)
        if has and not options.again:
            serial = certificates.serial(has[0])  # after a kill the entry may not have it yet
            files |= _entry(options.folder, entry.model_copy(update={"groups": groups, "serial": serial}))
            found.append(Enrolled(name, serial, _day(has[0]), groups))
        else:
            issuer = issuer or authority.opened(options.folder, ask())
            one = inventory.Entry(name=name, groups=groups)
            found.append(_made(options, site, issuer, one, files))
        if number % _AT_ONCE == 0 or number == len(options.names):
            write_together(files)
            files = {}
            step(number, len(options.names))
    rewrite(options.folder)
    return found


def _made(
    options: Options, site: Site, issuer: Issuer, entry: inventory.Entry, files: dict[Path, File]
) -> Enrolled:
    """Make one device's keys and certificate; put what is to be written into ``files``.

    The bundle comes first, and last what says that the device is enrolled: after a kill it is made anew.
    """
    place, name = options.folder / DEVICES, entry.name
    given: dict[str, bytes] = {}
    keys: dict[Path, File] = {}
    begun = _begun(options, name)
    signing = _signing(place, name, keys, begun=begun)
    if signing is not None:
        given[bundle.DEVICE_KEY] = signing
    if options.request is None:
        key = certificates.new_key()
        public, given[bundle.KEY] = key.public_key(), certificates.key_pem(key)
    else:
        public = certificates.read_request(options.request, f"request of {name}", name)
    made = certificates.issue(issuer, name, public, days=options.days)
    given[bundle.CERTIFICATE] = certificates.pem(made)
    given[bundle.CA] = certificates.pem(issuer.certificate)
    given[bundle.COLLECTOR] = _needed(options.folder / f"{COLLECTOR}.pub")
    given[bundle.ROOT] = _needed(options.folder / _ROOT)
    pipelines = options.pipelines or bundle.PIPELINES
    host = options.host or site.names[0]
    inside = bundle.contents(bundle.Given(name, site.fleet, entry.groups, host, site.port, given, pipelines))
    where = _packed(options, name, inside, files)
    before = authority.issued(options.folder, name)
    files.update(keys)
    files[place / f"{name}.pem"] = b"".join(certificates.pem(one) for one in (made, *before)), 0o644
    files.update(_entry(options.folder, entry.model_copy(update={"serial": certificates.serial(made)})))
    return Enrolled(
        name, certificates.serial(made), _day(made), entry.groups, where, whole=signing is not None
    )


def _check_host(folder: Path, site: Site, host: str) -> None:
    """Refuse a name of the broker that its certificate does not have: no device would get in."""
    if host and host not in site.names:
        hint = f"It has {', '.join(site.names)}; for others: edgectl init {folder} --broker NAME,NAME"
        raise ConfigInvalid(
            "use", f"--broker {host}", "the broker's certificate does not have this name", hint
        )


def _check_tables(site: Site, pipelines: str) -> None:
    """Refuse a rest of the configuration with which it would not be TOML, or say something twice."""
    given = bundle.Given("name", site.fleet, (), "host", site.port, {}, pipelines or bundle.PIPELINES)
    inside = bundle.contents(given)
    try:
        tables(inside[bundle.CONFIG][0].decode())
    except ValueError as error:
        hint = "Give whole tables; [device], [mqtt], [trust] and [models] are there already"
        raise ConfigInvalid("use", "--config", f"with it agent.toml is no TOML: {error}", hint) from error


def _begun(options: Options, name: str) -> bool:
    """Whether a device's key is of an enrolment that a kill has ended: nobody has taken its .pub away.

    ``disenroll`` leaves no key, and who was enrolled has a certificate; the bundle is written before the key.
    """
    place = options.folder / DEVICES
    if inventory.find(options.folder, name).revoked:
        return True
    given, kept = options.out / name / bundle.DEVICE_KEY, place / f"{name}.key"
    both = given.exists() and kept.exists() and given.read_bytes() == kept.read_bytes()
    return both and not authority.issued(options.folder, name)


def _signing(place: Path, name: str, files: dict[Path, File], *, begun: bool) -> bytes | None:
    """Give a device's signing key: the one that is here, a new one, or None where it has left.

    Raises:
        ConfigInvalid: its public half may have been taken away.
    """
    private, public = place / f"{name}.key", place / f"{name}.pub"
    if private.exists():
        if begun and not public.exists():
            files[public] = read_signer(private, "key").public_pem(), 0o644
        elif not public.exists():
            hint = f"If it was stolen, delete {private}, too; else: edgectl init --from-key --device {name}"
            raise ConfigInvalid("enrol", name, f"its .key is in {place}, and its .pub is not", hint)
        return private.read_bytes()
    if public.exists():
        return None
    made = generate()[0]
    files[private] = made, 0o600
    files[public] = Signer.from_pem(made).public_pem(), 0o644
    return made


def _packed(options: Options, name: str, inside: dict[str, File], files: dict[Path, File]) -> Path:
    """Put a bundle's files into ``files``, or the archive of them; give where it will be."""
    if not options.archive:
        place = options.out / name
        files.update({place / file: what for file, what in inside.items()})
        return place
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for file, (content, mode) in inside.items():
            member = tarfile.TarInfo(f"{name}/{file}")
            member.size, member.mode = len(content), mode
            archive.addfile(member, io.BytesIO(content))
    files[options.out / f"{name}.tar.gz"] = packed.getvalue(), 0o600
    return options.out / f"{name}.tar.gz"


def _entry(folder: Path, entry: inventory.Entry) -> dict[Path, File]:
    path = folder / DEVICES / f"{entry.name}{inventory.ENDING}"
    return {path: (entry.model_dump_json().encode(), 0o644)}


def _needed(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        hint = f"Make it: edgectl init {path.parents[0]}"
        raise ConfigInvalid("read", str(path), "it is not there, and each device needs it", hint) from None


def _day(certificate: x509.Certificate) -> str:
    return certificates.ends(certificate).date().isoformat()


def numbered(prefix: str, count: int) -> list[str]:
    """Give the names of so many devices: prefix-0001 and so on."""
    return [f"{prefix}-{number:04d}" for number in range(1, count + 1)]


def names_of(names: Sequence[str], count: int, prefix: str) -> tuple[str, ...]:
    """Give the devices that a command line names, each once.

    Raises:
        ConfigInvalid: it names none.
    """
    found = tuple(dict.fromkeys([*names, *numbered(prefix, count)]))
    if not found:
        raise ConfigInvalid("enrol", "devices", "none is named", "Give names, or --count N")
    return found
