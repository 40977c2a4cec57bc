"""CAN interfaces, as the kernel lists them among those of networks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.sources.finding.nodes import entries, text
from agent.types import Found

if TYPE_CHECKING:
    from pathlib import Path

_ARPHRD_CAN = "280"
_UP = 1
"""IFF_UP of linux/if.h."""
_BEGINNING = {
    "signals": [{"name": "value", "id": 0x123, "start": 0, "length": 16}],
    "rate": 10,
    "window": 10,
}


def found(root: Path) -> list[Found]:
    """Give the CAN interfaces; ``root`` stands for "/"."""
    return [
        _interface(path) for path in entries(root, "/sys/class/net") if text(path / "type") == _ARPHRD_CAN
    ]


def _interface(path: Path) -> Found:
    name = path.name
    problem = hint = ""
    if not _is_up(text(path / "flags")):
        problem = "it is down"
        hint = f"Set its bit rate and start it: sudo ip link set {name} up type can bitrate 500000"
    return Found(
        name=f"CAN interface {name}",
        options={"channel": name, **_BEGINNING},
        guessed=tuple(_BEGINNING),
        problem=problem,
        hint=hint,
    )


def _is_up(flags: str) -> bool:
    try:
        return bool(int(flags, 16) & _UP)
    except ValueError:
        return False
