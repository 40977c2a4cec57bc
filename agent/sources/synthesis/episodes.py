"""When the synthetic machine is faulty, how badly, and what each fault adds to its vibration.

Everything follows from (seed, sample number). The truth is for training, tests and benches; no frame carries
it. The signatures are the textbook ones (R. B. Randall, "Vibration-based Condition Monitoring", Wiley
2011, chapters 2 and 5), in plain form; amplitudes are in g at severity 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from agent.types import Array

FAULTS = ("bearing", "gear", "imbalance", "looseness", "misalignment")
"""What can be wrong with the machine."""
TEETH = 23
"""Teeth of the gear on the shaft: its tone is so many times the shaft's speed."""

_KINDS, _EPISODES = 3, 4
"""Random streams of the seed; the machine itself uses 0 and 1."""
_ONSET, _END = 0.2, 0.05
"""Shares of an episode in which the fault grows to its full severity, and vanishes."""
_MILDEST = 0.6
"""The least severity that an episode grows to."""
_OUTER_RACE = 3.58
"""Impacts a turn: n / 2 * (1 - d / D * cos(angle)), for 9 balls with d / D cos(angle) = 0.204."""


@dataclass(frozen=True, slots=True)
class Episode:
    """One fault that comes and goes within its cycle; ``begin`` and ``length`` are shares of the cycle.

    ``phases`` are those of the tones that the fault brings along, (3, 3), radians.
    """

    fault: str
    begin: float
    length: float
    peak: float
    phases: Array

    def severity(self, at: Array) -> Array:
        """Give the severity in [0, 1] at the shares ``at`` of the cycle."""
        if self.length == 0:
            return np.zeros(at.shape)
        way = (at - self.begin) / self.length
        shape: Array = np.clip(np.minimum(way / _ONSET, (1 - way) / _END), 0, 1)
        return shape * self.peak


def episode(seed: int, cycle: int, share: float) -> Episode:
    """Draw the episode of a cycle, which takes ``share`` of it; each five cycles have every fault once."""
    round_, turn = divmod(cycle, len(FAULTS))
    kind = np.random.default_rng([seed, _KINDS, round_]).permutation(len(FAULTS))[turn]
    rng = np.random.default_rng([seed, _EPISODES, cycle])
    begin, peak = rng.uniform(0, 1 - share), rng.uniform(_MILDEST, 1)
    return Episode(FAULTS[kind], begin, share, peak, rng.uniform(0, math.tau, (3, 3)))


def disturb(
    signal: Array, shown: Episode, severity: Array, *, turns: Array, speed: float, phases: Array
) -> None:
    """Add the fault to ``signal``.

    Args:
        signal: float64 (samples, 3), g, without the sensor's noise; changed in place.
        shown: the episode.
        severity: of each sample, in [0, 1].
        turns: the shaft's turns since the beginning, of each sample.
        speed: of the shaft, turns a second: bursts decay in time, not in turns.
        phases: of the healthy machine's first three orders, (3, 3), radians: what grows keeps its phase.
    """
    match shown.fault:
        case "imbalance":
            added = _tone(turns, 1, (0.36, 0.32, 0.05), phases[0])
        case "misalignment":
            added = _tone(turns, 2, (0.20, 0.18, 0.26), phases[1])
            added += _tone(turns, 3, (0.07, 0.06, 0.09), phases[2])
        case "bearing":
            added = _bursts(turns * _OUTER_RACE, speed * _OUTER_RACE, 420.0, 0.0025) * (0.45, 0.38, 0.18)
        case "gear":
            added = _bursts(turns + shown.phases[0, 0] / math.tau, speed, 350.0, 0.005) * (0.50, 0.42, 0.30)
            added += _sidebands(turns, shown.phases[1]) * (0.07, 0.06, 0.05)
        case _:
            added = _rattle(turns, shown.phases)
            loose = np.minimum(1.3 * signal + added, 0.12)  # the foot hits the ground on one side
            added = loose - signal
    signal += severity[:, None] * added


def _tone(turns: Array, order: float, amplitudes: tuple[float, float, float], phases: Array) -> Array:
    """A multiple of the shaft's speed on the three axes."""
    tone: Array = np.sin(math.tau * order * turns[:, None] + phases) * amplitudes
    return tone


def _bursts(impacts: Array, rate: float, ring_hz: float, decay_s: float) -> Array:
    """Ringing after each impact, the last two of which are still heard.

    Args:
        impacts: how many there were until each sample; the fraction is the way to the next.
        rate: impacts a second.
        ring_hz: the resonance that rings.
        decay_s: in which it falls to 1/e.
    """
    number = np.floor(impacts)
    heard = np.zeros((len(impacts), 1))
    for before in (0, 1):
        since = (impacts - number + before) / rate
        strength = 0.85 + 0.15 * np.sin(2.4 * (number - before))  # no two impacts are alike
        heard[:, 0] += strength * np.exp(-since / decay_s) * np.sin(math.tau * ring_hz * since)
    return heard


def _sidebands(turns: Array, phases: Array) -> Array:
    """The gear's tone beats once a turn: its sidebands lie one and two turns away from it."""
    carrier = np.sin(math.tau * TEETH * turns + phases[0])
    beat = np.cos(math.tau * turns + phases[1]) + 0.5 * np.cos(2 * math.tau * turns + phases[2])
    band: Array = (carrier * beat)[:, None]
    return band


def _rattle(turns: Array, phases: Array) -> Array:
    """Halves of the shaft's speed, which nothing but looseness makes."""
    return (
        _tone(turns, 0.5, (0.07, 0.09, 0.04), phases[0])
        + _tone(turns, 1.5, (0.06, 0.08, 0.04), phases[1])
        + _tone(turns, 2.5, (0.05, 0.06, 0.03), phases[2])
    )
