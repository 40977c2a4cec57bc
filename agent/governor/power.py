"""What a board draws, as its own sensors measure it; None where it has none that can be read.

Formats are those of the kernel's Documentation/hwmon/sysfs-interface.rst (microwatts, microjoules,
millivolts, milliamperes) and Documentation/power/powercap/powercap.rst (microjoules, which wrap at
`max_energy_range_uj`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.governor import readings
from agent.governor.readings import like, some, text, whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from agent.boards.profiles import Power

_CHANNELS = "[0-9]*"
_GAP_S = 60.0
"""A rate in watts is not believed for longer than this."""


@dataclass(slots=True)
class _Counter:
    """A sensor that counts microjoules: where it stands, and where it begins anew."""

    last: int
    wraps_at: int

    def added(self, now: int) -> int:
        """Give what has come since the last call."""
        more = now - self.last
        if more < 0:  # it began anew; one that does not say where counts from 0
            more = now + (self.wraps_at - self.last if self.wraps_at > self.last else 0)
        self.last = now
        return more


class PowerMeter:
    """Adds up the energy that a board uses.

    Args:
        power: of the profile: which sensors are the whole board's.
        root: the folder that stands for "/".

    Attributes:
        joules: since the first call of ``tick``; None while nothing was measured.
        watts: what the sensors said last, or the mean since the tick before, of those that count joules.
        source: "board" for the profile's sensors, "package" for the processor's own count, "" for none.
    """

    def __init__(self, power: Power, root: Path | None = None) -> None:
        self._power = power
        self._root = root or readings.ROOT
        self._counters: dict[Path, _Counter] = {}
        self._at: float | None = None
        self._watts: float | None = None
        self.joules: float | None = None
        self.watts: float | None = None
        self.source = ""

    def tick(self, now: float) -> None:
        """Look at the sensors."""
        watts = list(self._hwmon_watts())
        energies = list(self._hwmon_energies())
        self.source = "board" if watts or energies else ""
        if not self.source:
            energies = list(self._packages())
            self.source = "package" if energies else ""
        before, self._at = self._at, now
        if not self.source:
            self.watts = self._watts = None
            return
        span_s = 0.0 if before is None else max(0.0, now - before)
        counted = sum(self._counted(*one) for one in energies) / 1e6
        rate, earlier = sum(watts), self._watts
        steady = 0.0 if earlier is None or span_s > _GAP_S else span_s * (rate + earlier) / 2
        self._watts = rate if watts else None
        self.joules = (self.joules or 0.0) + counted + steady
        self.watts = (rate + (counted / span_s if span_s else 0.0)) if watts or span_s else None

    def _counted(self, path: Path, now: int, wraps_at: int) -> int:
        if path not in self._counters:
            self._counters[path] = _Counter(now, wraps_at)
        return self._counters[path].added(now)

    def _sensors(self) -> Iterator[Path]:
        for sensor in some(self._root / "sys/class/hwmon", "hwmon*"):
            if like(text(sensor / "name"), self._power.hwmon):
                yield sensor

    def _hwmon_watts(self) -> Iterator[float]:
        """Watts of each channel; a sensor without any has volts and amperes, as an INA3221."""
        for sensor in self._sensors():
            inputs = some(sensor, f"power{_CHANNELS}_input") or some(sensor, f"power{_CHANNELS}_average")
            found = [one / 1e6 for path in inputs if (one := whole(path)) is not None and one >= 0]
            if not found and not some(sensor, f"energy{_CHANNELS}_input"):
                found = list(_volts_times_amperes(sensor))
            yield from found

    def _hwmon_energies(self) -> Iterator[tuple[Path, int, int]]:
        for sensor in self._sensors():
            if not some(sensor, f"power{_CHANNELS}_*"):
                for path in some(sensor, f"energy{_CHANNELS}_input"):
                    if (energy := whole(path) or 0) > 0:
                        yield path, energy, 0

    def _packages(self) -> Iterator[tuple[Path, int, int]]:
        """The packages of processors, or the platform where that is counted; often root alone may read."""
        folder = self._root / "sys/class/powercap"
        zones = {zone: text(zone / "name") for zone in some(folder, "intel-rapl:*")}
        whole_platform = [zone for zone, name in zones.items() if name == "psys"]
        packages = [zone for zone, name in zones.items() if name.startswith("package-")]
        for zone in whole_platform or packages:
            if (energy := whole(zone / "energy_uj") or 0) > 0:
                yield zone, energy, whole(zone / "max_energy_range_uj") or 0


def _volts_times_amperes(sensor: Path) -> Iterator[float]:
    """Watts of each channel of a shunt monitor; only of the board's input, where a label names that."""
    labels: dict[str, str] = {}
    found: dict[str, float] = {}
    for path in some(sensor, f"curr{_CHANNELS}_input"):
        channel = path.name.removeprefix("curr").removesuffix("_input")
        milliamperes, millivolts = whole(path), whole(sensor / f"in{channel}_input")
        if milliamperes is not None and millivolts is not None:
            found[channel] = max(0.0, milliamperes * millivolts / 1e6)
            labels[channel] = text(sensor / f"in{channel}_label")
    inputs = [channel for channel in found if labels[channel].upper().endswith("_IN")]
    yield from (found[channel] for channel in inputs or found)
