"""Where the fleet's identity lies in the operator's folder, and what is known of its broker.

DIR/ca.key                 signs certificates; encrypted with the passphrase of the other keys
DIR/ca.pem                 its certificate; goes to every device
DIR/clients/<who>.pem      certificates of the operator and the collector, each with its .key
DIR/devices/<id>.pem       the certificates that a device was given, the newest that it has gone over to first
DIR/broker/                what mosquitto needs: mosquitto.conf, acl, ca.pem, server.pem, server.key, crl.pem
DIR/broker/fleet.json      the fleet's name, the broker's, and its port
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.documents.base import Place
from agent.errors import ConfigInvalid
from agent.files import write_durably
from agent.validation import first_problem

if TYPE_CHECKING:
    from pathlib import Path

CA_KEY, CA = "ca.key", "ca.pem"
CLIENTS, BROKER = "clients", "broker"
OPERATOR, COLLECTOR, HOME = "fleet.operator", "fleet.collector", "fleet.home-assistant"
"""User names of those who are no devices: no device can be so called, since its name has no dot."""
PORT = 8883
_SITE = "fleet.json"
_HOST = re.compile(
    r"(?=.{1,253}\Z)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*\Z"
)


class Site(BaseModel):
    """One fleet's broker.

    Attributes:
        fleet: the fleet's name.
        names: the broker's names and addresses, the one that devices use first.
        home_assistant: the prefix of Home Assistant's discovery; "" for none.
        port: where it listens.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    v: Literal[1] = 1
    fleet: Place
    names: Annotated[tuple[Annotated[str, Field(max_length=253)], ...], Field(min_length=1, max_length=16)]
    home_assistant: Annotated[str, Field(max_length=64, pattern=r"^([A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*)?$")] = (
        ""
    )
    port: Annotated[int, Field(ge=1, le=65535)] = PORT


def read_site(folder: Path) -> Site | None:
    """Give what is known of the broker; None where no broker was named yet.

    Raises:
        ConfigInvalid: the file is damaged.
    """
    path = folder / BROKER / _SITE
    try:
        return Site.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        raise ConfigInvalid("read", str(path), first_problem(error), "Put it back from a backup") from error


def need_site(folder: Path) -> Site:
    """Give what is known of the broker.

    Raises:
        ConfigInvalid: the file is damaged, or no broker was named.
    """
    if not folder.is_dir():
        hint = "Name the operator's folder: --dir DIR; or make one: edgectl init DIR --broker HOST"
        raise ConfigInvalid("open", str(folder), "there is no such folder", hint)
    site = read_site(folder)
    if site is None or not (folder / CA).exists():
        hint = f"Name the broker: edgectl init {folder} --fleet NAME --broker HOST"
        raise ConfigInvalid("use", str(folder), "it has no certificate authority, or no broker", hint)
    return site


def keep_site(folder: Path, site: Site) -> None:
    """Write what is known of the broker, durably.

    Raises:
        OSError: the disk refuses.
    """
    write_durably(folder / BROKER / _SITE, site.model_dump_json().encode(), 0o644)


def hosts(text: str) -> tuple[str, ...]:
    """Read the names and addresses of a broker, with commas between.

    Raises:
        ConfigInvalid: one is neither a name nor an address.
    """
    found = tuple(dict.fromkeys(one.strip().lower() for one in text.split(",") if one.strip()))
    for one in found:
        if not (_HOST.match(one) or _is_address(one)):
            raise ConfigInvalid(
                "use", f"--broker {one!r}", "no host can be called so", "Give a name or an address"
            )
    if text and not found:
        raise ConfigInvalid("use", "--broker", "it names nothing", "Give a name or an address")
    return found


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return "%" not in text
