"""What a capture process is to do; it arrives in a memfd, as a worker's does."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from agent.pictures import Region


class CaptureSpec(BaseModel):
    """One source that has a process of its own, as that is told of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    """What it is called: its name, or the pipeline's with ".source" where it has none."""
    kind: str
    options: dict[str, Any] = {}
    pipelines: tuple[str, ...] = Field(min_length=1, max_length=256)
    """Those that read it."""
    privacy: tuple[Region, ...] = ()
    """What is hidden in each frame before any pipeline gets it."""
    folder: str = ""
    """Where relative paths start; "" for the current folder."""
    confine: bool = True
    """Whether the process gives up what it does not need, before it opens the source."""
    hidden: tuple[str, ...] = ()
    """Paths that stay closed wherever they stand: the data folder, keys, the configuration."""
