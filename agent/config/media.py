"""What a pipeline is told of pictures and clips of events: ``[pipelines.media]``."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from agent.config.base import EventName

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
