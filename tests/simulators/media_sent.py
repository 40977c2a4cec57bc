"""What takes media from a pipeline's parts, and pictures to make them of."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agent.types import Array

S = 1_000_000_000
SEEN = {"event": "glyph.seen", "label": "a"}


def grey(level: int, height: int = 48, width: int = 64) -> Array:
    return np.full((height, width, 3), level, np.uint8)


class Sent:
    """Takes what is sent; ``held`` keeps whoever sends waiting."""

    def __init__(self) -> None:
        self.media: list[tuple[Mapping[str, Any], bytes]] = []
        self.free = threading.Event()
        self.free.set()
        self.begun = threading.Event()

    def __call__(self, head: Mapping[str, Any], size: int, pieces: Iterable[bytes]) -> None:
        self.begun.set()
        assert self.free.wait(60)
        content = b"".join(pieces)
        assert len(content) == size
        self.media.append((head, content))
