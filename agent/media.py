"""Pictures and clips of events, as they are between processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MAX_MEDIUM = 16 << 20
"""Bytes of a snapshot or a clip."""
Kind = Literal["snapshot", "clip"]
TYPES: dict[Kind, str] = {"snapshot": "image/jpeg", "clip": "video/x-msvideo"}
ENDINGS: dict[Kind, str] = {"snapshot": ".jpg", "clip": ".avi"}


@dataclass(frozen=True, slots=True)
class Medium:
    """A snapshot or clip that a worker has sent; not looked into yet.

    Attributes:
        fd: memory that nobody can change any more; it is closed by whoever takes this.
        size: its bytes.
        kind: what it is said to be.
        pipeline: whose it is.
        events: names of the events, as the worker says.
        frame: the number of the events' frame.
        wall_ns: when that was captured, ns since 1970.
        clip: what the events call a clip; "" for a snapshot, which they call by its SHA-256.
    """

    fd: int
    size: int
    kind: Kind
    pipeline: str
    events: tuple[str, ...]
    frame: int
    wall_ns: int
    clip: str = ""


def flaw(kind: Kind, content: bytes) -> str:
    """Say why bytes are not what they are said to be; "" where begin, end and length fit.

    A JPEG stands between SOI and EOI (ITU-T T.81, B.1.1.3); a RIFF file says its length and its form
    (Microsoft, "AVI RIFF File Reference").
    """
    if kind == "snapshot":
        fits = content[:3] == b"\xff\xd8\xff" and content[-2:] == b"\xff\xd9"
        return "" if fits else "it is no JPEG"
    length = int.from_bytes(content[4:8], "little") + 8
    fits = content[:4] == b"RIFF" and content[8:12] == b"AVI " and length == len(content)
    return "" if fits else "it is no AVI file, or not whole"
