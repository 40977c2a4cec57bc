"""Cameras of the board itself, and what comes in by standard input."""

from __future__ import annotations

from tests.simulators import fake_rpicam
from tests.simulators.examples.example import Example

EXAMPLES = {
    "rpicam": Example(
        "pictures",
        lambda folder: {
            "program": fake_rpicam.install(folder / "bin"), "width": 64, "height": 64, "fps": 100,
        },
        lambda _: {"fps": 4},
        endless=True,
    ),
}  # fmt: skip
