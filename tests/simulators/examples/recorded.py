"""A recording of `edge-agent record`, as its own parts write it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

from agent.recordings.documents import FrameNote, Head
from agent.recordings.writing import Writer
from tests.simulators.examples.example import FRAMES, Example

if TYPE_CHECKING:
    from pathlib import Path

HEAD = Head(agent="0.1.0", made="2026-11-26T12:00:00+00:00", source="camera", live=True)


def recording(folder: Path, frames: int = FRAMES, pause_ns: int = 250_000_000, *, ends: bool = True) -> str:
    path = folder / "recorded.tar"
    with path.open("wb", buffering=0) as file:
        writer = Writer(file, 1 << 30)
        writer.begin(HEAD)
        for number in range(frames):
            picture = cv2.imencode(".png", np.full((20, 30, 3), 25 * number % 256, np.uint8))[1].tobytes()
            writer.frame(FrameNote(seq=number, captured_ns=number * pause_ns, suffix=".png"), picture)
        if ends:
            writer.end()
    return str(path)


EXAMPLES = {
    "recording": Example(
        "pictures", lambda folder: {"path": recording(folder)}, lambda _: {"realtime": True}
    ),
}
