"""Devices on USB, as the kernel lists them in /sys/bus/usb/devices; and how one of them is reset."""

from __future__ import annotations

import fcntl
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

LIST = "sys/bus/usb/devices"
_RESET = 0x5514
"""USBDEVFS_RESET, _IO('U', 20) of linux/usbdevice_fs.h."""
_MOST = 256
"""How many devices are looked at; a bus has at most 127."""


@dataclass(frozen=True, slots=True)
class Device:
    """One that is plugged in.

    Attributes:
        name: the kernel's name of the place where it is plugged in, such as "2-1".
        ids: vendor and product, such as "18d1:9302".
        node: its device node.
    """

    name: str
    ids: str
    node: str


def devices(root: Path, ids: Collection[str]) -> list[Device]:
    """List those of ``ids`` that are plugged in, in the order of their places. Never raises."""
    try:
        names = sorted(one.name for one in (root / LIST).iterdir())[:_MOST]
    except OSError:  # a machine without USB
        return []
    found = (_device(root / LIST / name) for name in names if ":" not in name)
    return [one for one in found if one is not None and one.ids in ids]


def _device(folder: Path) -> Device | None:
    """Read what the kernel says of one device; None for what is none, or was pulled out just now."""
    try:
        vendor, product, bus, number = (
            (folder / name).read_text(errors="replace").strip()[:8]
            for name in ("idVendor", "idProduct", "busnum", "devnum")
        )
        return Device(folder.name, f"{vendor}:{product}", f"/dev/bus/usb/{int(bus):03}/{int(number):03}")
    except (OSError, ValueError):
        return None


def reset(node: Path) -> bool:
    """Reset the device behind ``node`` as if it were pulled out and plugged in; give whether the kernel did.

    It may take seconds. The node must be open to this user for writing, as a udev rule makes it.
    """
    try:
        file = os.open(node, os.O_WRONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.ioctl(file, _RESET, 0)
    except OSError:
        return False
    else:
        return True
    finally:
        os.close(file)
