"""Device nodes below a folder that stands for "/": their stable names, and why one cannot be used now."""

from __future__ import annotations

import grp
import os
from itertools import islice
from pathlib import Path

from agent.sources.v4l2.devices import holder

_MOST = 256
"""Entries of a folder that are looked at."""


def entries(root: Path, folder: str, pattern: str = "*") -> list[Path]:
    """Give what is in a folder and fits, sorted by name and number; nothing where there is no such folder."""
    try:
        found = list(islice((root / folder.lstrip("/")).glob(pattern), _MOST))
    except OSError:
        return []
    return sorted(found, key=lambda path: (len(path.name), path.name))


def text(path: Path) -> str:
    """Give the beginning of a file as one line that a terminal may be sent; "" where it cannot be read."""
    try:
        with path.open("rb") as file:
            raw = file.read(200)
    except (OSError, ValueError):
        return ""
    told = "".join(one if one.isprintable() else " " for one in raw.decode(errors="replace"))
    return " ".join(told.split())


def as_there(root: Path, path: Path) -> str:
    """Give a path as the machine itself writes it, whose root ``root`` is."""
    try:
        return f"/{path.relative_to(root)}"
    except ValueError:
        return str(path)


def stable_name(root: Path, folders: tuple[str, ...], node: str) -> str:
    """Give a link that leads to a node, of the first folder that has one; the node itself where none has."""
    for folder in folders:
        for link in entries(root, folder):
            if os.path.basename(os.path.realpath(link)) == os.path.basename(node):  # noqa: PTH119 - names
                return as_there(root, link)
    return node


def why_not(root: Path, node: str) -> tuple[str, str]:
    """Say why a node cannot be opened now, and the next thing to do; two empty texts where it can.

    It is not opened: that does something to some devices, such as resetting what hangs on a serial port.
    """
    path = root / node.lstrip("/")
    if not os.access(path, os.R_OK | os.W_OK):
        try:
            group = grp.getgrgid(path.stat().st_gid).gr_name
        except KeyError:
            return "permission denied", "Run this as root, or as the agent's user"
        except OSError as error:
            return (error.strerror or "it cannot be looked at").lower(), "Plug it in again"
        if group == "root":
            return "permission denied: only root may open it", "Give its group to it with a rule of udev"
        hint = f"Let this user join that group: sudo usermod -aG {group} USER, then log in again"
        return f"permission denied: it belongs to the group {group}", hint
    if root == Path("/") and (who := holder(node)):
        return f"{who} uses it", "Stop that program; a device serves one at a time"
    return "", ""
