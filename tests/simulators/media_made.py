"""Media as they come from a worker, of a content that nobody has to look at."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from agent.media import Medium
from agent.processes import memfd

if TYPE_CHECKING:
    from agent.media import Kind

JPEG = b"\xff\xd8\xff%b\xff\xd9"


def jpeg(n: int, size: int = 1000) -> bytes:
    """What passes for a JPEG of so many bytes; another one for each n."""
    return JPEG % n.to_bytes(size - 5, "big")


def avi(n: int, size: int = 1000) -> bytes:
    """What passes for an AVI file of so many bytes."""
    return b"RIFF" + (size - 8).to_bytes(4, "little") + b"AVI " + n.to_bytes(size - 12, "big")


def memory(content: bytes, seals: int = memfd.FIXED) -> int:
    """Give a descriptor of sealed memory."""
    fd = memfd.create("test", len(content))
    os.pwrite(fd, content, 0)
    memfd.seal(fd, seals)
    return fd


def medium(content: bytes, kind: Kind = "snapshot", **more: Any) -> Medium:
    """Give a medium of the pipeline "door"."""
    given: dict[str, Any] = {
        "pipeline": "door",
        "events": ("glyph.seen",),
        "frame": 7,
        "wall_ns": 1_700_000_000 * 10**9,
    }
    return Medium(memory(content), len(content), kind, **given | more)
