"""Windows for the vibration model, made by the synthetic sensor that it will listen to.

Training and threshold see healthy machines only. A machine is a seed; no seed is in two of the three sets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from agent.sources.synthesis.vibration import AXES, Truth, Vibration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agent.types import Array

RATE, WINDOW = 1600.0, 256
"""Samples a second and a window, as the sensor gives them by default."""
NOISE, FAULTS = 0.02, 0.25
"""Likewise: the noise in g, and the share of the time with faults."""
VALIDATION = 500_000
"""Seeds from here on serve the threshold; below it is training. Nothing uses 0, the sensor's default."""
HELD_OUT = 1_000_000
"""Seeds from here on are never trained on, nor looked at for the threshold."""
A_MACHINE = 20
"""Windows a machine in held-out data: they lie anywhere in one of its cycles of health and fault."""

_HOURS = 6
"""Healthy windows are taken from so long a time."""


def healthy(first_seed: int, machines: int, windows: int) -> Array:
    """Give ``windows`` windows of each of ``machines`` healthy machines: float32 (all, WINDOW, AXES), g."""
    found = np.empty((machines * windows, WINDOW, AXES), np.float32)
    for number in range(machines):
        seed = first_seed + number
        machine = Vibration(RATE, seed, NOISE, 0.0)
        starts = np.random.default_rng([seed, 1]).integers(0, int(_HOURS * 3600 * RATE), windows)
        for at, start in enumerate(starts.tolist(), start=number * windows):
            machine.window(start, found[at])
    return found


def held_out(seed: int, count: int, noise: float = NOISE) -> Iterator[tuple[Array, Truth]]:
    """Give ``count`` windows of the sensor as it comes, and what each holds.

    ``seed`` is ``HELD_OUT`` or above; each ``A_MACHINE`` windows are of the next machine.
    """
    for number in range(-(-count // A_MACHINE)):
        machine = Vibration(RATE, seed + number, noise, FAULTS)
        begin = number * machine.cycle
        starts = begin + np.random.default_rng([seed + number, 1]).integers(0, machine.cycle, A_MACHINE)
        for start in starts[: count - number * A_MACHINE].tolist():
            window = np.empty((WINDOW, AXES), np.float32)
            machine.window(start, window)
            yield window, machine.truth(start, WINDOW)
