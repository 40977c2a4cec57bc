"""What the kernel says of this machine and its processes: memory, CPU time, temperature."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_THERMAL = Path("/sys/class/thermal")
_MOST_ZONES = 16
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


def rss_bytes(pid: int) -> int | None:
    """Give the memory that a process has in RAM, shared pages included; None when it cannot be read."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE
    except (OSError, IndexError, ValueError):  # it has ended, or another one's are hidden
        return None


def cpu_seconds(pid: int) -> float | None:
    """Give the CPU time that a process has used, in user and kernel mode; None when it cannot be read."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        user, kernel = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(kernel)) / _TICKS
    except (OSError, ValueError):
        return None


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
