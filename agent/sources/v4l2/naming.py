"""Which camera a configuration means: by its path, or by a name that stays when devices come and go."""

from __future__ import annotations

import re
from pathlib import Path

from agent.sources.v4l2.devices import STABLE, name_of, video_nodes

USB = re.compile(r"usb:([0-9a-f]{4}):([0-9a-f]{4})(?::(.{1,126}))?", re.IGNORECASE)
"""Vendor and product as ``lsusb`` shows them, and the serial number."""
_ABOUT = Path("/sys/class/video4linux")


def matching(device: str) -> list[str]:
    """Give the paths that a device's name stands for, whether they are there or not: at least one.

    Args:
        device: a path; a name in /dev/v4l/by-id or /dev/v4l/by-path; ``usb:VENDOR:PRODUCT`` or
            ``usb:VENDOR:PRODUCT:SERIAL``; or what the camera's maker calls it.
    """
    if device.startswith("/"):
        return [device]
    if parts := USB.fullmatch(device):
        wanted = (parts[1].lower(), parts[2].lower(), *([parts[3]] if parts[3] else []))
        return [node for node in _first_nodes() if usb_of(node)[: len(wanted)] == wanted] or [device]
    links = [folder / device for folder in STABLE]
    there = [str(link) for link in links if link.exists()][:1]
    return there or [node for node in _first_nodes() if name_of(node) == device] or [str(links[0])]


def resolve(device: str) -> str:
    """Give the first path that a device's name stands for, whether it is there or not."""
    return matching(device)[0]


def usb_of(node: str) -> tuple[str, ...]:
    """Give vendor, product and serial number ("" for none) of the USB device behind a node; () for others."""
    device = _ABOUT / Path(node).name / "device"
    vendor, product = (_read(device / ".." / f"id{one}") for one in ("Vendor", "Product"))
    return (vendor.lower(), product.lower(), _read(device / ".." / "serial")) if vendor and product else ()


def _first_nodes() -> list[str]:
    """Give the first node of each camera: those after it are for metadata."""
    return [node for node in video_nodes() if _read(_ABOUT / Path(node).name / "index") in {"", "0"}]


def _read(path: Path) -> str:
    try:
        return path.read_bytes()[:128].decode(errors="replace").strip()
    except OSError:  # not every device has it
        return ""
