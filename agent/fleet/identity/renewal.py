"""New certificates over the air: each device makes a key, the operator vouches for it, the device goes over.

The device's signing key stays what it is: results that wait on its disk are signed with it, and collectors
know it.
"""

from __future__ import annotations

import datetime as dt
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.errors import AgentError, ConfigInvalid
from agent.files import advice, write_durably
from agent.fleet import inventory
from agent.fleet.identity import authority, certificates
from agent.fleet.keys import DEVICES, alone
from agent.fleet.writing import write_together

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from agent.fleet.commanding.commander import Commander
    from agent.fleet.commanding.gathering import Result
    from agent.fleet.identity.certificates import Issuer

_OP = "credentials"
INSTALL_S = 120.0
"""Seconds that a device has to go over, and to say so: it tries for 60."""


@dataclass(frozen=True, slots=True)
class Renewed:
    """Where a device stands; ``problem`` is "" when it has gone over to the certificate ``serial``."""

    name: str
    serial: str = ""
    until: str = ""
    problem: str = ""


def chosen(
    folder: Path, names: Sequence[str], groups: Sequence[str], *, everyone: bool, expiring: int | None
) -> list[str]:
    """Give the devices whose certificates are to be renewed, by name.

    Args:
        folder: the operator's.
        names: devices.
        groups: groups of devices.
        everyone: all that are enrolled.
        expiring: only those whose newest certificate ends within so many days; None: all of these.

    Raises:
        ConfigInvalid: there is no such device or group, none is named, or a file is damaged.
    """
    if everyone:
        known = [one.name for one in inventory.read(folder) if one.serial and not one.revoked]
    else:
        known = [one.name for one in inventory.chosen(folder, list(names), list(groups))]
    if not known:
        raise ConfigInvalid("renew", "devices", "none is named", "Name devices, --group, or --all")
    if expiring is None:
        return known
    latest = dt.datetime.now(dt.UTC) + dt.timedelta(days=expiring)
    return [name for name in known if not _lasts(folder, name, latest)]


def renew(
    folder: Path,
    names: Sequence[str],
    commander: Commander,
    issuer: Issuer,
    *,
    days: int = certificates.DAYS,
    timeout_s: float = 60.0,
    revoke: bool = False,
    step: Callable[[Renewed], object] = lambda _: None,
) -> list[Renewed]:
    """Give devices new certificates; each keeps its old one until the broker has taken the new one.

    A certificate stands in the folder before it is sent: ``edgectl disenroll`` revokes all that there are.

    Args:
        folder: the operator's.
        names: the devices.
        commander: sends commands; connected.
        issuer: the fleet's authority.
        days: that a certificate lasts.
        timeout_s: how long to wait for devices that say nothing.
        revoke: put the certificates that they had before on the list of revocations: somebody has their keys.
        step: told of each device that is over.

    Raises:
        AgentError: the broker is away, a key is missing, or the disk refuses.
    """
    found: list[Renewed] = []
    asked = commander.run(_OP, {"step": "request"}, devices=names, timeout_s=timeout_s, expires_s=timeout_s)
    for answer in asked:
        one = _renewed(folder, answer, commander, issuer, days)
        step(one)
        found.append(one)
    if revoke:
        _revoke(folder, issuer, [one.name for one in found if not one.problem])
    return found


def _revoke(folder: Path, issuer: Issuer, names: Sequence[str]) -> None:
    """Let nobody in with what these devices had before their newest certificate."""
    with _writing(folder, "revoke certificates in"):
        before = [one for name in names for one in authority.issued(folder, name)[1:]]
        authority.revoke(folder, issuer, [one.serial_number for one in before])


def _renewed(folder: Path, answer: Result, commander: Commander, issuer: Issuer, days: int) -> Renewed:
    name = answer.device
    if not answer.good or answer.outcome is None:
        return Renewed(name, problem=f"{answer.state}: {answer.reason}")
    request = str(answer.outcome.result.get("csr", "")).encode()
    try:
        key = certificates.read_request(request, f"request of {name}", name)
    except ConfigInvalid as error:
        return Renewed(name, problem=str(error))
    made = certificates.issue(issuer, name, key, days=days)
    serial = certificates.serial(made)
    if not _record(folder, name, certificates.pem(made)):
        return Renewed(name, problem="it was disenrolled meanwhile")
    args = {"step": "install", "certificate": certificates.pem(made).decode("ascii")}
    [told] = commander.run(_OP, args, devices=[name], timeout_s=INSTALL_S, expires_s=INSTALL_S)
    until = certificates.ends(made).date().isoformat()
    if not told.good:
        return Renewed(name, serial, until, f"{told.state}: {told.reason}")
    _gone_over(folder, name, serial)
    return Renewed(name, serial, until)


def _record(folder: Path, name: str, pem: bytes) -> bool:
    """Note what a device is about to be given; give whether it is in the fleet still.

    A certificate that nobody knows of could not be revoked, and would be a thief's for years. It stands
    behind those that the device has: what ends soon is told by these, until it has gone over.
    """
    with _writing(folder, f"keep certificate of {name} in"):
        if inventory.find(folder, name).revoked:
            return False
        before = [certificates.pem(one) for one in authority.issued(folder, name)]
        write_durably(folder / DEVICES / f"{name}.pem", b"".join([*before, pem]), 0o644)
        return True


def _gone_over(folder: Path, name: str, serial: str) -> None:
    """Put the certificate that a device has gone over to before the others."""
    with _writing(folder, f"keep certificate of {name} in"):
        known = authority.issued(folder, name)
        newest_first = sorted(known, key=lambda one: certificates.serial(one) != serial)
        entry = inventory.find(folder, name).model_copy(update={"serial": serial})
        place = folder / DEVICES
        write_together(
            {
                place / f"{name}.pem": (b"".join(map(certificates.pem, newest_first)), 0o644),
                place / f"{name}{inventory.ENDING}": (entry.model_dump_json().encode(), 0o644),
            }
        )


@contextmanager
def _writing(folder: Path, op: str) -> Iterator[None]:
    try:
        with alone(folder):
            yield
    except OSError as error:
        raise AgentError(op, str(folder), error.strerror or str(error), advice(error)) from error


def _lasts(folder: Path, name: str, latest: dt.datetime) -> bool:
    found = authority.issued(folder, name)
    return bool(found) and certificates.ends(found[0]) > latest
