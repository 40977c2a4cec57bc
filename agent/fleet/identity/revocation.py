"""Takes devices out of the fleet: no broker lets them in any more, and no collector believes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.errors import AgentError, ConfigInvalid
from agent.files import advice, sync_folder
from agent.fleet import inventory
from agent.fleet.identity import authority
from agent.fleet.identity.begin import rewrite
from agent.fleet.identity.place import need_site
from agent.fleet.keys import DEVICES, PUBLIC, alone, check_names

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

ASIDE = ".revoked"
"""What is put behind the name of a public key that counts no longer."""


@dataclass(frozen=True, slots=True)
class Disenrolled:
    """A device that is out; ``serials`` are the certificates that the list of revocations now has."""

    name: str
    serials: tuple[str, ...]


def disenroll(folder: Path, names: Sequence[str], ask: Callable[[], str]) -> list[Disenrolled]:
    """Take devices out; one that is out already stays so.

    What a collector believes goes first, what is signed last: after a kill it can be run again.

    Raises:
        ConfigInvalid: there is no such device, no passphrase, or a file is damaged.
        AgentError: the disk refuses.
    """
    check_names(names)
    need_site(folder)
    known = {one.name for one in inventory.read(folder)}
    for name in names:
        if name not in known:
            hint = f"Known are: {', '.join(sorted(known)[:20])}" if known else "None is enrolled"
            raise ConfigInvalid("disenrol", name, f"there is none of this name in {folder / DEVICES}", hint)
    issuer = authority.opened(folder, ask())
    try:
        with alone(folder):
            found = []
            for name in dict.fromkeys(names):
                (folder / PUBLIC / f"{name}.pub").unlink(missing_ok=True)
                _put_aside(folder / DEVICES, name)
                certificates = authority.issued(folder, name)
                entry = inventory.find(folder, name)
                inventory.keep(folder, entry.model_copy(update={"revoked": True}))
                found.append(Disenrolled(name, tuple(f"{one.serial_number:x}" for one in certificates)))
            authority.revoke(folder, issuer, [int(one, 16) for each in found for one in each.serials])
            rewrite(folder)
            return found
    except OSError as error:
        problem, hint = error.strerror or str(error), advice(error)
        raise AgentError("disenrol devices in", str(folder), problem, hint) from error


def _put_aside(place: Path, name: str) -> None:
    """Let nobody believe a device's signatures, and forget its private key, which a thief has."""
    public = place / f"{name}.pub"
    if public.exists():
        public.rename(place / f"{name}.pub{ASIDE}")
    (place / f"{name}.key").unlink(missing_ok=True)
    sync_folder(place)
