"""Cameras of the board itself, and what comes in by standard input."""

from __future__ import annotations

import os
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from tests.simulators import fake_rpicam, plugging
from tests.simulators.examples.example import Example

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def piped(folder: Path) -> Iterator[dict[str, Any]]:
    """Have another program write JPEGs into this process's standard input, for ever."""
    picture = folder / "picture.jpg"
    cv2.imwrite(str(picture), np.full((48, 64, 3), 90, np.uint8))
    before = os.dup(0)
    script = ["sh", "-c", 'while cat "$0"; do :; done', str(picture)]
    with subprocess.Popen(script, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        os.dup2(writer.stdout.fileno(), 0)
        try:
            yield {}
        finally:
            os.dup2(before, 0)
            os.close(before)
            writer.kill()


EXAMPLES = {
    "rpicam": Example(
        "pictures",
        lambda folder: {
            "program": fake_rpicam.install(folder / "bin"), "width": 64, "height": 64, "fps": 100,
        },
        lambda _: {"fps": 4},
        endless=True,
        plug=plugging.ribbon_camera,
        reopened=15,
    ),
    "stdin": Example(
        "pictures",
        lambda _: {"format": "MJPG"},
        endless=True,
        beside=piped,
    ),
}  # fmt: skip
