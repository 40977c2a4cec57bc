"""Recorded samples."""

from __future__ import annotations

import wave
from typing import TYPE_CHECKING

import numpy as np

from tests.simulators.examples.example import FRAMES, Example

if TYPE_CHECKING:
    from pathlib import Path


def wav_file(folder: Path) -> str:
    path = folder / "rising.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(400)
        file.writeframes(np.arange(2 * 100 * FRAMES, dtype="<i2").tobytes())
    return str(path)


def csv_file(folder: Path) -> str:
    path = folder / "rising.csv"
    path.write_text("x,y\n" + "".join(f"{row},{row / 7}\n" for row in range(5 * FRAMES)))
    return str(path)


EXAMPLES = {
    "samples": Example(
        "windows",
        lambda folder: {"path": csv_file(folder), "rate": 20, "window": 5},
        lambda _: {"realtime": True},
    ),
    "synthetic_sensor": Example(
        "windows",
        lambda _: {"speed": 0, "frames": FRAMES, "hop": 400, "faults": 0.9},
        lambda _: {"speed": 1},
    ),
    "wav": Example(
        "windows", lambda folder: {"path": wav_file(folder), "window": 100}, lambda _: {"realtime": True}
    ),
}
