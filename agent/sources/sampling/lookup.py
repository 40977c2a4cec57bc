"""Finds devices in the trees that the kernel shows them in. Light: who asks what a source needs loads it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import SourceLost

if TYPE_CHECKING:
    from pathlib import Path


def devices(folder: Path, wanted: str) -> list[Path]:
    """Find devices' folders by their number's name, such as hwmon0, or by what the file ``name`` says."""
    return [path for path, name in _named(folder).items() if wanted in (path.name, name)]


def find_device(op: str, folder: Path, wanted: str, hint: str) -> Path:
    """Find the one folder of a device.

    Raises:
        SourceLost: there is none, or more than one.
    """
    found = devices(folder, wanted)
    if len(found) == 1:
        return found[0]
    there = (
        ", ".join(f"{path.name} ({name})" for path, name in _named(folder).items() if name)[:300] or "none"
    )
    problem = f"{len(found)} devices have this name" if found else "there is no such device"
    raise SourceLost(op, wanted, problem, f"{hint}. There are: {there}")


def text(path: Path) -> str:
    """Give what a file of the kernel says, without the line's end; "" where it says nothing."""
    try:
        with path.open("rb") as file:
            return file.read(200).decode(errors="replace").strip("\0 \t\r\n")
    except OSError:
        return ""


def _named(folder: Path) -> dict[Path, str]:
    try:
        held = sorted(folder.iterdir())
    except OSError:
        held = []
    return {path: text(path / "name") for path in held}
