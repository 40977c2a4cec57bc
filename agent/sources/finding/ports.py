"""Serial ports: of USB adapters by their stable names, and those of the board that have hardware."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.sources.finding.nodes import as_there, entries, stable_name, text, why_not
from agent.types import Found

if TYPE_CHECKING:
    from pathlib import Path

_PATTERNS = ("ttyUSB*", "ttyACM*", "ttyAMA*", "ttyS*", "ttymxc*", "ttySC*", "ttyTHS*", "ttySAC*", "ttyLP*")
_STABLE = ("/dev/serial/by-id", "/dev/serial/by-path")
_BEGINNING = {"baud": 9600, "pattern": r"(?P<value>[-+0-9.]+)", "rate": 1, "window": 1}
"""A line with one number in it, once a second: what most sensors of this kind send, and a way to see more."""


def found(root: Path) -> list[Found]:
    """Give the ports, without opening one: that would reset some boards that hang on it.

    Args:
        root: the folder that stands for "/".
    """
    nodes = [node for pattern in _PATTERNS for node in entries(root, "/dev", pattern)]
    return [_port(root, node) for node in nodes if _has_hardware(root, node.name)]


def _port(root: Path, node: Path) -> Found:
    path = as_there(root, node)
    port = stable_name(root, _STABLE, path)
    problem, hint = why_not(root, path)
    if _is_console(root, node.name):
        problem, hint = "the kernel's console is on it", "Remove console=... from the kernel's command line"
    return Found(
        name=_maker(root, node.name) or "serial port",
        options={"port": port, **_BEGINNING},
        guessed=tuple(_BEGINNING),
        about=(path,),
        problem=problem,
        hint=hint,
    )


def _has_hardware(root: Path, name: str) -> bool:
    """Whether there is a port behind a node: the kernel keeps some for ports that a board does not have."""
    if not name.startswith("ttyS") or not name[4:].isdigit():
        return True
    # PORT_UNKNOWN of the kernel's serial_core.h; without the file nothing is known of it.
    return text(root / "sys/class/tty" / name / "type") not in {"", "0"}


def _is_console(root: Path, name: str) -> bool:
    """Whether the kernel writes to it: /proc/consoles, a line each, ``ttyS0 -W- (EC p a) 4:64``."""
    return any(line.split()[:1] == [name] for line in _lines(root / "proc/consoles"))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(errors="replace").splitlines()[:64]
    except OSError:
        return []


def _maker(root: Path, name: str) -> str:
    """Give what a USB adapter says of itself: its interface lies one or two folders below its device."""
    device = root / "sys/class/tty" / name / "device"
    for above in (device / "..", device / "../.."):
        if words := [said for what in ("manufacturer", "product") if (said := text(above / what))]:
            return " ".join(words)[:80]
    return ""
