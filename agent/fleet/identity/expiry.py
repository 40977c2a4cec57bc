"""Which certificates of a fleet end soon, and what to do about each."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from cryptography import x509

from agent.fleet import inventory
from agent.fleet.identity import authority, certificates
from agent.fleet.identity.place import BROKER, CA, CLIENTS

if TYPE_CHECKING:
    from pathlib import Path

WARN_DAYS = 90
_SHOWN = 5


def warnings(folder: Path, days: int = WARN_DAYS) -> list[str]:
    """Say which certificates end within so many days; nothing where there are none at all.

    Raises:
        ConfigInvalid: a device's file is damaged.
    """
    latest = dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
    files = [folder / CA, folder / BROKER / "server.pem", *sorted((folder / CLIENTS).glob("*.pem"))]
    found = [
        f"{path} {_words(ends)}: {_advice(path, folder)}" for path in files if (ends := _ends(path, latest))
    ]
    devices = [
        one.name
        for one in inventory.read(folder)
        if one.serial and not one.revoked and _over(authority.issued(folder, one.name), latest)
    ]
    if devices:
        named = ", ".join(devices[:_SHOWN]) + (
            f" and {len(devices) - _SHOWN} more" if devices[_SHOWN:] else ""
        )
        found.append(f"certificates of {named} end within {days} days: edgectl renew --all --expiring {days}")
    return found


def _ends(path: Path, latest: dt.datetime) -> dt.datetime | None:
    """Give when a certificate ends, if that is before ``latest``; a file that is not here ends never."""
    try:
        found = certificates.ends(x509.load_pem_x509_certificate(path.read_bytes()))
    except FileNotFoundError:
        return None
    except ValueError:
        return dt.datetime.now(dt.UTC)
    return found if found < latest else None


def _over(known: list[x509.Certificate], latest: dt.datetime) -> bool:
    return bool(known) and certificates.ends(known[0]) < latest


def _words(ends: dt.datetime) -> str:
    left = (ends - dt.datetime.now(dt.UTC)).days
    return f"ends in {left} days" if left > 0 else "has ended"


def _advice(path: Path, folder: Path) -> str:
    if path.name == CA:
        return "make a new folder, and enrol every device anew"
    again = f"delete it, run edgectl init {folder}"
    return f"{again}, and have the broker read it" if path.parent.name == BROKER else again
