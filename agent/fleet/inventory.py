"""The operator's list of devices: DIR/devices/<id>.json beside the device's keys."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from agent.documents.base import Place
from agent.errors import ConfigInvalid
from agent.files import write_durably
from agent.fleet.keys import DEVICES
from agent.link.topics import is_name
from agent.validation import first_problem

if TYPE_CHECKING:
    from pathlib import Path

ENDING = ".json"
MOST_GROUPS = 16
_MODE = 0o644


class Entry(BaseModel):
    """One device. ``serial`` is its certificate's number, hexadecimal; "" where it has none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    v: Literal[1] = 1
    name: Place
    groups: Annotated[tuple[Place, ...], Field(max_length=MOST_GROUPS)] = ()
    serial: Annotated[str, Field(max_length=64)] = ""
    revoked: bool = False


def read(folder: Path) -> list[Entry]:
    """Give all devices, by their names; one with a key and no file of its own is in no group.

    Raises:
        ConfigInvalid: a file is damaged.
    """
    place = folder / DEVICES
    names = {path.name.removesuffix(".pub") for path in place.glob("*.pub")}
    names |= {path.name.removesuffix(ENDING) for path in place.glob(f"*{ENDING}")}
    return [find(folder, name) for name in sorted(names) if is_name(name)]


def find(folder: Path, name: str) -> Entry:
    """Give one device, known or not.

    Raises:
        ConfigInvalid: its file is damaged.
    """
    path = folder / DEVICES / f"{name}{ENDING}"
    try:
        return Entry.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return Entry(name=name)
    except ValidationError as error:
        raise ConfigInvalid("read", str(path), first_problem(error), "Put it back from a backup") from error


def keep(folder: Path, entry: Entry) -> None:
    """Write a device's file, durably.

    Raises:
        OSError: the disk refuses.
    """
    write_durably(folder / DEVICES / f"{entry.name}{ENDING}", entry.model_dump_json().encode(), _MODE)


def chosen(folder: Path, names: list[str], groups: list[str]) -> list[Entry]:
    """Give the devices of these names and groups, by their names, without those that are revoked.

    Raises:
        ConfigInvalid: there is no such device or group.
    """
    known = {one.name: one for one in read(folder) if not one.revoked}
    for name in names:
        if name not in known:
            hint = (
                f"Known are: {', '.join(list(known)[:20])}"
                if known
                else "Enrol one: edgectl enroll NAME; or name the operator's folder: --dir DIR"
            )
            raise ConfigInvalid(
                "choose devices", name, f"there is none of this name in {folder / DEVICES}", hint
            )
    for group in groups:
        if not any(group in one.groups for one in known.values()):
            hint = "Put devices into it: edgectl enroll NAME --group GROUP"
            raise ConfigInvalid("choose devices", group, "no device is in this group", hint)
    named, grouped = set(names), set(groups)
    wanted = [one for one in known.values() if one.name in named or grouped & set(one.groups)]
    return sorted(wanted, key=lambda one: one.name)
