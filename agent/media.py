"""Pictures and clips of events: what a pipeline is told of them, and what they are between processes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.tables import EventName

MAX_MEDIUM = 16 << 20
"""Bytes of a snapshot or a clip."""
Kind = Literal["snapshot", "clip"]
TYPES: dict[Kind, str] = {"snapshot": "image/jpeg", "clip": "video/x-msvideo"}
ENDINGS: dict[Kind, str] = {"snapshot": ".jpg", "clip": ".avi"}
Label = Annotated[str, Field(min_length=1, max_length=200)]


class Media(BaseModel):
    """Which events of a pipeline get a picture or a clip, and how large these are."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    on: tuple[EventName, ...] = Field(min_length=1, max_length=32)
    """Names of events, such as `line.crossed`; `*` is all of them."""
    labels: tuple[Label, ...] = Field(default=(), max_length=64)
    """Only events with one of these labels; empty for all."""
    snapshot: bool = True
    """Whether the frame of the event is kept, as a JPEG."""
    clip: bool = False
    """Whether the seconds around the event are kept, as motion JPEG in an AVI file."""
    before_s: float = Field(default=5, ge=0, le=30)
    """How much of a clip lies before the event, in seconds."""
    after_s: float = Field(default=5, ge=0, le=30)
    """How much of a clip lies after the event, in seconds."""
    fps: float = Field(default=5, ge=1, le=10)
    """Frames a second of a clip, at most."""
    width: int = Field(default=1280, ge=32, le=2560)
    """Pixels of the longer side, at most; larger frames are scaled down."""
    quality: int = Field(default=80, ge=10, le=95)
    """JPEG quality."""
    every_s: float = Field(default=10, ge=1, le=86400)
    """Events of one name get at most one picture and one clip in so many seconds."""
    draw: bool = False
    """Whether the result is drawn into the snapshot."""


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
