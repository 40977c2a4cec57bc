"""Sources of pictures that need nothing beside them but files and the cameras of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from tests.simulators import plugging
from tests.simulators.cameras import Cameras
from tests.simulators.examples.example import FRAMES, Example

if TYPE_CHECKING:
    from pathlib import Path


def video_file(folder: Path) -> str:
    path = str(folder / "grey.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), 4, (64, 48))
    for number in range(FRAMES):
        writer.write(np.full((48, 64, 3), 20 + 25 * number, np.uint8))
    writer.release()
    return path


def picture_folder(folder: Path) -> str:
    for number in range(FRAMES):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((20 + number, 30, 3), 25 * number, np.uint8))
    return str(folder)


def camera(_: Path) -> dict[str, Any]:
    return {"device": Cameras.here().plug(modes=("YUYV 64x48@500",)), "fps": 500}


EXAMPLES = {
    "camera": Example("pictures", camera, lambda _: {"fps": 4}, endless=True, plug=plugging.camera),
    "images": Example("pictures", lambda folder: {"paths": [picture_folder(folder)]}),
    "synthetic": Example(
        "pictures",
        lambda _: {"width": 64, "height": 48, "fps": 0, "frames": FRAMES, "blur": 0.5},
        lambda _: {"fps": 4},
    ),
    "video": Example("pictures", lambda folder: {"path": video_file(folder)}, lambda _: {"realtime": True}),
}
