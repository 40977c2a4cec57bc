"""How strained a board is, by what it says of itself: its heat, and its memory. Pure."""

from __future__ import annotations

from collections import deque
from itertools import takewhile
from typing import TYPE_CHECKING

from agent.governor.ladder import Strain

if TYPE_CHECKING:
    from agent.boards.profiles import Thermal
    from agent.governor.readings import Heat, Memory

_MOST_READINGS = 64
_LEAST_READINGS = 4
_ENOUGH = 1.5
"""Memory is calm with so many times as much as is wanted free."""


class Warmth:
    """Judges heat, with a memory of how fast it rises.

    Args:
        thermal: the board's limits.
        horizon_s: a limit that it would reach within so many seconds is near.
    """

    def __init__(self, thermal: Thermal, horizon_s: float) -> None:
        self._thermal, self._horizon_s = thermal, horizon_s
        self._seen: deque[tuple[float, float]] = deque(maxlen=_MOST_READINGS)

    def judge(self, now: float, heat: Heat) -> tuple[Strain, str]:
        """Say how strained the board is, and why."""
        celsius = heat.celsius
        if celsius is None:  # a sensor that was there may come back: until then nothing is given back
            calm = Strain.STEADY if self._seen else Strain.CALM
            return (Strain.STRAINED, heat.throttled) if heat.throttled else (calm, "")
        before = self._seen[-1][1] if self._seen else celsius
        self._seen.append((now, celsius))
        where = f"{celsius:.1f} C in {heat.zone}"
        if celsius >= self._thermal.hard_c and before >= self._thermal.soft_c:  # one wild reading is none
            return Strain.EXTREME, f"{where}, the limit is {self._thermal.hard_c:g}"
        warm = celsius >= self._thermal.soft_c
        if warm or heat.throttled:
            return self._strained(now, celsius, where if warm else "", heat.throttled)
        cool = celsius <= self._thermal.soft_c - self._thermal.hysteresis_c
        return (Strain.CALM if cool else Strain.STEADY), where

    def _strained(self, now: float, celsius: float, where: str, throttled: str) -> tuple[Strain, str]:
        rise = self.rise(now)
        above = celsius - self._thermal.soft_c
        if rise < 0 and not throttled and above <= -rise * self._horizon_s:
            return Strain.STEADY, f"{where}, and it cools"  # what was done is enough
        why = "; ".join(
            one for one in (where and f"{where}, above {self._thermal.soft_c:g}", throttled) if one
        )
        if rise > 0 and self._thermal.hard_c - celsius <= rise * self._horizon_s:
            return Strain.URGENT, f"{why}; rises by {rise:.2f} a second"
        return Strain.STRAINED, why

    def rise(self, now: float) -> float:
        """Degrees a second by which it has risen lately: the slope of the line of least squares."""
        lately = takewhile(lambda one: now - one[0] <= self._horizon_s / 2, reversed(self._seen))
        points = [(at - now, degrees) for at, degrees in lately]
        if len(points) < _LEAST_READINGS:
            return 0.0
        mean_t = sum(t for t, _ in points) / len(points)
        mean_c = sum(c for _, c in points) / len(points)
        spread = sum((t - mean_t) ** 2 for t, _ in points)
        return sum((t - mean_t) * (c - mean_c) for t, c in points) / spread if spread > 0 else 0.0


def scarcity(memory: Memory, *, least_free: float, most_pressure: float) -> tuple[Strain, str]:
    """Say how short of memory the board is, and why.

    Args:
        memory: what was read.
        least_free: the share that should be free, 0 to 1.
        most_pressure: per cent of the time in which processes may wait for memory.
    """
    free = 1.0 if memory.free is None else memory.free
    pressure = memory.pressure or 0.0
    said = f"{free:.1%} of the memory is free"
    if free < least_free / 4:
        return Strain.EXTREME, said
    if free < least_free / 2:
        return Strain.URGENT, said
    if free < least_free:
        return Strain.STRAINED, said
    if pressure >= most_pressure:
        return Strain.STRAINED, f"processes waited for memory in {pressure:.0f} % of the last 10 s"
    calm = free >= min(0.95, least_free * _ENOUGH) and pressure < most_pressure / 2
    return (Strain.CALM if calm else Strain.STEADY), said
