"""What snapshot and record are given in tests, and what they leave."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

import cv2
import numpy as np

from tests import runtimes

if TYPE_CHECKING:
    from pathlib import Path

    from agent.types import Array


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        files = ((one.name, archive.extractfile(one)) for one in archive)
        return {name: file.read() for name, file in files if file is not None}


def picture(data: bytes) -> Array:
    found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    assert found is not None
    return found


def config(folder: Path, *, sources: bool = False) -> Path:
    """Write a configuration with a camera whose left half is private."""
    path = folder / "agent.toml"
    region = "points = [[0.0, 0.0], [0.5, 1.0]]"
    camera = 'kind = "synthetic"\nfps = 0\nwidth = 64\nheight = 48'
    runtime = f'backend = {{ kind = "tflite", runtime = "{runtimes.CHOSEN}" }}'
    door = f'[[pipelines]]\nname = "door"\nmodel = "glyphs"\n{runtime}\n'
    if sources:
        text = f'[[sources]]\nname = "cam"\n{camera}\n{door}source = "cam"\n[[pipelines.privacy]]\n{region}\n'
        text += '[[pipelines]]\nname = "yard"\nmodel = "glyphs"\nsource = "cam"\n'
    else:
        text = f"{door}[[pipelines.privacy]]\n{region}\n[pipelines.source]\n{camera}\n"
    path.write_text(f'store.path = "{folder}/data"\n{text}')
    return path
