"""Files of the synthetic camera's frames, for benchmarks that read video."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2

from agent.sources.synthetic import Options, build

if TYPE_CHECKING:
    from pathlib import Path


def film(path: Path, frames: int, width: int = 640, height: int = 480, codec: str = "mp4v") -> Path:
    """Write so many frames into a file; give its path.

    Args:
        path: of the file; its ending says which container.
        frames: how many.
        width: of a frame, pixels.
        height: of a frame, pixels.
        codec: FourCC.
    """
    source = build(Options(width=width, height=height, fps=0, frames=frames), start=0)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), 30, (width, height))
    for _ in range(frames):
        frame = source.read(1.0)
        assert frame is not None
        writer.write(frame.data)
    writer.release()
    return path
