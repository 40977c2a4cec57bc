"""Which devices are looked at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import ConfigInvalid
from agent.fleet import inventory
from agent.fleet.keys import DEVICES

if TYPE_CHECKING:
    from pathlib import Path

    from agent.fleet.inventory import Entry


def meant(folder: Path, names: list[str], groups: list[str]) -> list[Entry]:
    """Give the devices of these names and groups; where there are no such, all that are not revoked.

    Raises:
        ConfigInvalid: there is no such device or group, or there are no devices.
    """
    if names or groups:
        return inventory.chosen(folder, names, groups)
    found = [one for one in inventory.read(folder) if not one.revoked]
    if not found:
        raise nobody(folder)
    return found


def nobody(folder: Path) -> ConfigInvalid:
    """Make the error for a folder without devices."""
    hint = "Name the operator's folder: --dir DIR; or enrol a device: edgectl enroll NAME"
    return ConfigInvalid("look at", str(folder / DEVICES), "there is no device in it", hint)
