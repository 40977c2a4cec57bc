"""The vibration of a rotating machine that does not exist: a shaft of about 1500 turns a minute with a gear.

Everything follows from (seed, sample number, sample rate), so a restarted worker goes on where the last one
stopped, and windows that overlap hold the same samples. They are made in blocks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from agent.sources.synthesis.episodes import TEETH, disturb, episode

if TYPE_CHECKING:
    from agent.types import Array

AXES = 3
"""Two radial directions and the axial one."""
BLOCK = 512
"""Samples that are made at once."""
CYCLE_S = 12.0
"""About how long a cycle of health and fault lasts, seconds."""

_BUILD, _NOISE = 0, 1
"""Random streams of the seed."""
_SHAFT_HZ = 25.0
_SLIP = 0.015
"""Share of its speed by which the shaft is slower under full load, and faster without."""
_LOAD = ((0.5, 61.0), (0.3, 19.0), (0.2, 7.0))
"""Weights and periods in seconds of the waves that make the load."""
_ORDERS = np.array([1, 2, 3, 4, TEETH], np.float64)
_AMPLITUDES = np.array(
    [
        (0.120, 0.100, 0.040),
        (0.045, 0.050, 0.030),
        (0.025, 0.020, 0.015),
        (0.012, 0.012, 0.010),
        (0.060, 0.050, 0.040),
    ]
)
"""Of each order and axis, g."""
_COLOUR = (0.84, 0.48, 0.24, 0.08)
"""Taps of the filter that colours the noise; their squares sum to 1."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What a window holds: the fault or "", and how severe it is at its worst, in [0, 1]."""

    fault: str
    severity: float


@dataclass(frozen=True, slots=True)
class Build:
    """What makes one machine differ from its sisters.

    Attributes:
        speed: of the shaft at medium load, turns a second.
        amplitudes: (orders, axes), g; ``phases`` in radians likewise.
        periods: of the load's waves, seconds; ``shifts`` their phases, radians.
        noise: how much of the noise this one has.
    """

    speed: float
    amplitudes: Array
    phases: Array
    periods: Array
    shifts: Array
    noise: float


def build(seed: int) -> Build:
    """Draw a machine."""
    rng = np.random.default_rng([seed, _BUILD])
    shape = _AMPLITUDES.shape
    return Build(
        speed=_SHAFT_HZ * rng.uniform(0.99, 1.01),
        amplitudes=_AMPLITUDES * rng.uniform(0.75, 1.25, shape),
        phases=rng.uniform(0, math.tau, shape),
        periods=np.array([period for _, period in _LOAD]) * rng.uniform(0.9, 1.1, len(_LOAD)),
        shifts=rng.uniform(0, math.tau, len(_LOAD)),
        noise=rng.uniform(0.92, 1.08),
    )


class Vibration:
    """An accelerometer on the machine.

    Args:
        rate: samples a second.
        seed: everything follows from it.
        noise: of the sensor and the surroundings, g (standard deviation).
        faults: share of the time in which something is wrong, in [0, 1].

    Attributes:
        cycle: of health and fault, samples.
    """

    def __init__(self, rate: float, seed: int, noise: float, faults: float) -> None:
        self._rate = rate
        self._seed = seed
        self._noise = noise
        self._faults = faults
        self._build = build(seed)
        self._weights = np.array([weight for weight, _ in _LOAD])
        self._blocks = max(1, round(CYCLE_S * rate / BLOCK))
        self.cycle = self._blocks * BLOCK
        self._made: dict[int, Array] = {}

    def window(self, start: int, into: Array) -> None:
        """Write the samples from number ``start`` on into ``into``: float32 (samples, 3), g."""
        first, end = start // BLOCK, -(-(start + len(into)) // BLOCK)
        self._made = {number: self._made.get(number, _NONE) for number in range(first, end)}
        for number, block in self._made.items():
            if block is _NONE:
                self._made[number] = self._make(number)
            at = number * BLOCK - start
            kept = self._made[number][max(0, -at) : len(into) - at]
            into[max(0, at) : max(0, at) + len(kept)] = kept

    def truth(self, start: int, samples: int) -> Truth:
        """Tell what the ``samples`` from number ``start`` on hold."""
        worst = Truth("", 0.0)
        for number in range(start // BLOCK, -(-(start + samples) // BLOCK)):
            at = number * BLOCK - start
            inside = self._severity(number)[max(0, -at) : samples - at]
            if inside.max() > worst.severity:
                shown = episode(self._seed, number // self._blocks, self._faults)
                worst = Truth(shown.fault, float(inside.max()))
        return worst

    def _severity(self, number: int) -> Array:
        """Give the severity of each sample of a block."""
        cycle, at = divmod(number, self._blocks)
        share = (at * BLOCK + np.arange(BLOCK)) / self.cycle
        return episode(self._seed, cycle, self._faults).severity(share)

    def _make(self, number: int) -> Array:
        """Make block ``number``: float32 (BLOCK, 3), g."""
        times, build = (number * BLOCK + np.arange(BLOCK, dtype=np.float64)) / self._rate, self._build
        waves = math.tau * times[:, None] / build.periods + build.shifts
        load = np.sin(waves) @ self._weights
        # The turns are the integral of the speed, speed * (1 - slip * load).
        lag = (np.cos(build.shifts) - np.cos(waves)) @ (self._weights * build.periods) / math.tau
        turns = build.speed * (times - _SLIP * lag)
        level = 1 + 0.2 * np.tanh(3 * load)[:, None]
        angles = math.tau * turns[:, None, None] * _ORDERS[:, None] + build.phases
        signal = level * (np.sin(angles) * build.amplitudes).sum(axis=1)
        severity = self._severity(number)
        if severity.any():
            shown = episode(self._seed, number // self._blocks, self._faults)
            disturb(signal, shown, severity, turns=turns, speed=build.speed, phases=build.phases[:3])
        signal += self._hiss(number) * (self._noise * build.noise * (0.9 + 0.1 * level))
        made: Array = signal.astype(np.float32)
        return made

    def _hiss(self, number: int) -> Array:
        """Coloured noise of standard deviation 1: (BLOCK, 3)."""
        before, white = (
            np.random.default_rng([self._seed, _NOISE, one]).standard_normal((BLOCK, AXES))
            for one in (number, number + 1)
        )
        whole = np.concatenate([before[1 - len(_COLOUR) :], white])
        last = len(_COLOUR) - 1
        coloured = np.zeros((BLOCK, AXES))
        for delay, tap in enumerate(_COLOUR):
            coloured += tap * whole[last - delay : last - delay + BLOCK]
        return coloured


_NONE = np.empty(0, np.float32)
