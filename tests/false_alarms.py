"""How often a sound synthetic camera is said to be unwell: ``python -m tests.false_alarms --seconds 3600``.

Frames are drawn as the camera draws them at 30 a second, and shown to a watch with its defaults.
"""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from agent.pictures import Health
from agent.pipeline.health import Teller, Unwell, Watch
from agent.sources.synthesis import scene, shapes
from agent.sources.synthesis.drawing import Camera
from agent.types import Frame

if TYPE_CHECKING:
    from collections.abc import Mapping

FPS = 30


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument("--scene", choices=["glyph", "shapes"], default="shapes")
    parser.add_argument("--noise", type=float, default=6.0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    scenes = shapes.scene if given.scene == "shapes" else scene.scene
    camera = Camera(640, 480, given.seed, given.noise, 0.1, scenes=scenes)
    said: list[Mapping[str, object]] = []
    refused, spent = 0, 0.0
    watch = Watch(Health(), Teller(said.append))
    for at in range(given.seconds * FPS):
        frame = Frame(at, at * 10**9 // FPS, camera.draw(at))
        began = time.thread_time()
        try:
            watch(frame)
        except Unwell:
            refused += 1
        spent += time.thread_time() - began
        if (at + 1) % (600 * FPS) == 0 or at + 1 == given.seconds * FPS:
            print(
                f"{given.scene}: {at + 1} frames, {len(said)} told, {refused} refused, "
                f"{spent / (at + 1) * 1e3:.2f} ms of CPU a frame",
                flush=True,
            )
    for message in said:
        print(message)


if __name__ == "__main__":
    main()
