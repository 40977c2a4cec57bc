"""A board that is a folder: its /sys and /proc, and a temperature that follows the load."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MEMORY = 4 << 20
"""Kibibytes that it has."""


class FakeBoard:
    """Files below a folder that stands for "/".

    Args:
        root: the folder.

    Attributes:
        celsius: how hot it is.
        hottest: how hot it has been.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.celsius = self.hottest = 40.0
        self.write({"sys/class/thermal/thermal_zone0/type": "cpu-thermal"})
        self.warm(40.0)
        self.memory(free=0.5)

    def write(self, files: Mapping[str, object]) -> None:
        """Write files; a reader sees the old text or the new."""
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            fresh = path.with_name(f"{path.name}.new")
            fresh.write_text(f"{content}\n")
            fresh.replace(path)

    def warm(self, celsius: float) -> None:
        """Set its temperature."""
        self.celsius = celsius
        self.hottest = max(self.hottest, celsius)
        self.write({"sys/class/thermal/thermal_zone0/temp": round(celsius * 1000)})

    def follow(self, load_c: float, seconds: float, time_constant_s: float) -> None:
        """Go on towards the temperature that a load ends at: exp(-t / time constant) of the way is left."""
        self.warm(load_c + (self.celsius - load_c) * math.exp(-seconds / time_constant_s))

    def memory(self, *, free: float, pressure: float = 0.0) -> None:
        """Set the share of memory that is free, and how much of the time somebody waits for some."""
        self.write(
            {
                "proc/meminfo": f"MemTotal: {MEMORY} kB\nMemAvailable: {round(MEMORY * free)} kB",
                "proc/pressure/memory": f"some avg10={pressure:.2f} avg60=0.00 avg300=0.00 total=1",
            }
        )
