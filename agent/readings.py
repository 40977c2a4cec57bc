"""What the kernel says of this machine: its temperatures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_THERMAL = Path("/sys/class/thermal")
_MOST_ZONES = 16


def temperatures(folder: Path = _THERMAL) -> Iterator[tuple[str, float]]:
    """Give the degrees Celsius of each thermal zone, with its number and type: ``0:cpu-thermal``.

    At most 16. A zone that cannot be read is left out: drivers answer EAGAIN, or nonsense, while they sleep.
    """
    for zone in sorted(folder.glob("thermal_zone*"))[:_MOST_ZONES]:
        if (reading := _zone(zone)) is not None:
            yield reading


def _zone(zone: Path) -> tuple[str, float] | None:
    try:
        kind = (zone / "type").read_text(encoding="utf-8", errors="replace").strip()
        degrees = int((zone / "temp").read_text(encoding="ascii")) / 1000
    except (OSError, ValueError):
        return None
    return f"{zone.name.removeprefix('thermal_zone')}:{kind[:40]}", degrees
