"""What the kernel says of this machine: how hot it is, whether it throttles itself, how much memory is left.

All of it may be absent, unreadable or nonsense on some board, and is left out then. Nothing needs privileges.
Paths are below a folder that stands for "/".
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from agent.boards.profiles import Thermal

ROOT = Path("/")
_THERMAL = "sys/class/thermal"
_MOST_BYTES = 16 << 10
_MOST_ZONES = _MOST_DEVICES = 16
_MOST_ENTRIES = 256
_MOST_PARENTS = 16
_COLDEST_C, _HOTTEST_C = -60.0, 200.0
"""Outside of these a sensor is broken."""
_SLOWING = ("*cpufreq*", "*devfreq*", "processor")
"""Types of cooling devices that cool by computing slower; fans are none of them."""
_AVG10 = re.compile(r"^some avg10=([0-9.]+)", re.MULTILINE)


def text(path: Path) -> str:
    """Give the beginning of a file, at most 16 KiB, without white space around; "" when it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES).decode(errors="replace").strip()
    except OSError:  # drivers answer EAGAIN while they sleep, and others for good
        return ""


def whole(path: Path, base: int = 10) -> int | None:
    """Give the number that is all of a file; None when there is none."""
    try:
        return int(text(path)[:32], base)
    except ValueError:
        return None


def count(word: str) -> int | None:
    """Give what decimal digits say, as the kernel prints sizes; None for anything else."""
    return int(word) if re.fullmatch(r"[0-9]{1,18}", word) else None


def some(folder: Path, pattern: str, most: int = _MOST_DEVICES) -> list[Path]:
    """Give the first entries of a folder that match, in the order of their names."""
    try:
        return sorted(islice(folder.glob(pattern), _MOST_ENTRIES))[:most]
    except (OSError, ValueError):  # not there, or a profile's pattern that names nothing
        return []


def like(name: str, patterns: Sequence[str]) -> bool:
    """Whether a name matches one of the patterns, in any case."""
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns)


def temperatures(folder: Path | None = None) -> Iterator[tuple[str, float]]:
    """Give the degrees Celsius of each thermal zone, with its number and type: ``0:cpu-thermal``.

    At most 16. A zone that cannot be read is left out: drivers answer EAGAIN, or nonsense, while they sleep.
    """
    for zone in some(folder or ROOT / _THERMAL, "thermal_zone*", _MOST_ZONES):
        millidegrees, kind = whole(zone / "temp"), text(zone / "type")
        if millidegrees is not None and kind:
            yield f"{zone.name.removeprefix('thermal_zone')}:{kind[:40]}", millidegrees / 1000


@dataclass(frozen=True, slots=True)
class Heat:
    """How hot the board is.

    Attributes:
        celsius: of the hottest zone that counts; None where none can be read.
        zone: its number and type.
        throttled: in which way the board holds itself back, "" when it does not.
    """

    celsius: float | None = None
    zone: str = ""
    throttled: str = ""


@dataclass(frozen=True, slots=True)
class Memory:
    """How much memory is left, of the machine or of what the agent's control group may use: the scarcer.

    Attributes:
        free: the share that can be had without swapping, 0 to 1; None where nobody can tell.
        available: the same in bytes.
        pressure: per cent of the last 10 s in which a process waited for memory; None where not told.
    """

    free: float | None = None
    available: int | None = None
    pressure: float | None = None


class Board:
    """Reads the heat of a board by its profile, and remembers the clock rates that it has had.

    Args:
        thermal: of the profile.
        root: the folder that stands for "/".
    """

    def __init__(self, thermal: Thermal, root: Path | None = None) -> None:
        self._thermal = thermal
        self._root = root or ROOT
        self._fastest: dict[str, int] = {}

    def heat(self) -> Heat:
        """Look at zones and flags."""
        zones = {
            zone: degrees
            for zone, degrees in temperatures(self._root / _THERMAL)
            if like(zone.partition(":")[2], self._thermal.zones) and _COLDEST_C < degrees < _HOTTEST_C
        }
        hottest = max(zones, key=lambda zone: zones[zone], default="")
        return Heat(zones.get(hottest), hottest, self._throttled())

    def _throttled(self) -> str:
        return self._firmware() or self._cooling() or self._capped() or self._voltage()

    def _firmware(self) -> str:
        """The profile's flags: hexadecimal, as the Raspberry Pi's firmware gives them."""
        if not self._thermal.throttled:
            return ""
        for path in some(self._root, self._thermal.throttled.lstrip("/"), 1):
            flags = (whole(path, 16) or 0) & self._thermal.throttled_mask
            if flags:
                return f"the firmware says {flags:#x}"
        return ""

    def _cooling(self) -> str:
        for device in some(self._root / _THERMAL, "cooling_device*"):
            kind = text(device / "type")[:40]
            if like(kind, _SLOWING) and (state := whole(device / "cur_state") or 0) > 0:
                return f"{kind} cools, state {state}"
        return ""

    def _capped(self) -> str:
        """A processor that may run less fast than it could; a cap from the start on is somebody's wish."""
        for policy in some(self._root / "sys/devices/system/cpu/cpufreq", "policy*"):
            now = whole(policy / "scaling_max_freq")
            if now is None:
                continue
            if most := whole(policy / "cpuinfo_max_freq"):
                now = min(now, most)  # one wild reading would be a cap for ever after
            fastest = self._fastest[policy.name] = max(now, self._fastest.get(policy.name, 0))
            if now < fastest:
                return f"{policy.name} is capped at {now // 1000} of {fastest // 1000} MHz"
        return ""

    def _voltage(self) -> str:
        for sensor in some(self._root / "sys/class/hwmon", "hwmon*"):
            if text(sensor / "name") == "rpi_volt" and whole(sensor / "in0_lcrit_alarm"):
                return "under-voltage"
        return ""


def memory(root: Path | None = None) -> Memory:
    """Look at the machine's memory, and at what the agent's control group (version 2) may use of it."""
    root = root or ROOT
    lines = (line.split() for line in text(root / "proc/meminfo").splitlines())
    sizes = {line[0]: kb << 10 for line in lines if len(line) > 1 and (kb := count(line[1])) is not None}
    room: list[tuple[int, int]] = []
    if (total := sizes.get("MemTotal:", 0)) and "MemAvailable:" in sizes:
        room.append((sizes["MemAvailable:"], total))
    pressures = [_pressure(root / "proc/pressure/memory")]
    for group in _groups(root):
        most = whole(group / "memory.max")
        used = whole(group / "memory.current")
        if most is not None and most > 0 and used is not None:  # what is cached of files can be had back
            room.append((max(0, most - max(0, used - _cached(group))), most))
        pressures.append(_pressure(group / "memory.pressure"))
    known = [one for one in pressures if one is not None]
    available, of = min(room, key=lambda one: one[0] / one[1], default=(0, 0))
    return Memory(
        free=min(1.0, available / of) if of else None,
        available=available if of else None,
        pressure=max(known, default=None),
    )


def _groups(root: Path) -> list[Path]:
    """Give the agent's control group and those above it, but not the root of all."""
    for line in text(root / "proc/self/cgroup").splitlines():
        number, _, path = line.partition("::")
        if number == "0" and ".." not in path:
            top = root / "sys/fs/cgroup"
            own = top / path.lstrip("/")
            above = (one for one in (own, *own.parents) if one != top and one.is_relative_to(top))
            return list(islice(above, _MOST_PARENTS))
    return []


def _cached(group: Path) -> int:
    for line in text(group / "memory.stat").splitlines():
        name, _, value = line.partition(" ")
        if name == "inactive_file":
            return count(value) or 0
    return 0


def _pressure(path: Path) -> float | None:
    found = _AVG10.search(text(path))
    return min(100.0, float(found[1])) if found and found[1].count(".") <= 1 and found[1] != "." else None
