"""edgectl enroll and disenroll: from the command line to what is told."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import orjson

from agent.errors import ConfigInvalid
from agent.fleet.identity import enrolment, revocation
from agent.fleet.identity.authority import CRL
from agent.fleet.identity.mosquitto import ACL, RELOAD
from agent.fleet.identity.place import BROKER, hosts
from agent.fleet.packing.words import Step
from agent.fleet.progress import steps
from agent.fleet.repository.passphrase import passphrase

if TYPE_CHECKING:
    from pathlib import Path

    from agent.fleet.identity.enrolment import Enrolled

_MOST_FILE = 1 << 20
_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line of ``edgectl enroll`` says; ``enrolment.Options`` explains most of it."""

    folder: Path
    names: tuple[str, ...]
    count: int
    prefix: str
    groups: tuple[str, ...] | None
    days: int
    out: Path
    host: str
    archive: bool
    again: bool
    csr: Path | None
    config: Path | None


def run(asked: Asked, file: Path | None, *, as_json: bool) -> None:
    """Enrol devices, and tell what comes next.

    Args:
        asked: whom, and how.
        file: holds the passphrase; None asks elsewhere.
        as_json: tell it to programs.

    Raises:
        AgentError: as ``enrolment.enroll``.
    """
    names = enrolment.names_of(asked.names, asked.count, asked.prefix)
    if asked.csr is not None and len(names) != 1:
        raise ConfigInvalid("use", "--csr", "a request is for one device", "Name that one alone")
    if asked.host and len(hosts(asked.host)) != 1:
        raise ConfigInvalid("use", "--broker", "devices know one broker", "Give one name")
    options = enrolment.Options(
        folder=asked.folder,
        names=names,
        out=asked.out,
        groups=asked.groups,
        days=asked.days,
        host=hosts(asked.host)[0] if asked.host else "",
        again=asked.again,
        archive=asked.archive,
        request=_read(asked.csr) if asked.csr else None,
        pipelines=_read(asked.config).decode("utf-8", "replace") if asked.config else "",
    )
    with steps("enrolling") as shown:
        found = enrolment.enroll(
            options, lambda: passphrase(file), lambda done, of: shown(Step(done=done, of=of))
        )
    acl = asked.folder / BROKER / ACL
    if as_json:
        print(orjson.dumps({"devices": [_facts(one) for one in found], "acl": str(acl)}).decode())
        return
    for one in found[:_SHOWN]:
        print(_line(one))
    if len(found) > _SHOWN:
        print(f"... and {len(found) - _SHOWN} more")
    print(f"\nThe broker's access list is new: {acl}\nHave it read that: {RELOAD}")
    print("Each bundle goes to its device, and holds secrets: delete it here when it is there.")


def leave(folder: Path, names: list[str], file: Path | None, *, as_json: bool) -> None:
    """Take devices out of the fleet, and tell what comes next.

    Raises:
        AgentError: as ``revocation.disenroll``.
    """
    found = revocation.disenroll(folder, names, lambda: passphrase(file))
    files = [str(folder / BROKER / name) for name in (ACL, CRL)]
    if as_json:
        print(orjson.dumps({"disenrolled": [asdict(one) for one in found], "files": files}).decode())
        return
    for one in found:
        print(
            f"{one.name} is out: {len(one.serials)} of its certificates are revoked, its key counts no longer"
        )
    print(f"\nNew are: {', '.join(files)}\nHave the broker read them: {RELOAD}")
    print("What it was told to run, and what it has said last, stays retained at the broker.")


def _facts(one: Enrolled) -> dict[str, Any]:
    return {
        "name": one.name,
        "serial": one.serial,
        "until": one.until,
        "groups": one.groups,
        "bundle": str(one.place) if one.place else None,
        "has_device_key": one.whole,
    }


def _line(one: Enrolled) -> str:
    groups = f", in {', '.join(one.groups)}" if one.groups else ""
    if one.place is None:
        return f"{one.name:<20} is enrolled until {one.until}{groups}; --again makes a new certificate"
    left = "" if one.whole else "; without its device.key, which has left before"
    return f"{one.name:<20} {one.place}, until {one.until}{groups}{left}"


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            found = file.read(_MOST_FILE + 1)
    except OSError as error:
        problem = (error.strerror or str(error)).lower()
        raise ConfigInvalid("read", str(path), problem, "Check the path and its permissions") from error
    if len(found) > _MOST_FILE:
        raise ConfigInvalid("read", str(path), "it is larger than 1 MiB", "Name another file")
    return found
