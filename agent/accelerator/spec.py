"""What an accelerator process is to do; it arrives in a memfd, as a worker's does."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from agent.boards.accelerators import Accelerator


class AcceleratorSpec(BaseModel):
    """One accelerator of the profile, as its process is told of it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    accelerator: Accelerator
    runtime: Literal["auto", "ai-edge-litert", "tflite-runtime"] = "auto"
    """The TFLite runtime that runs models on it."""
    confine: bool = True
    """Whether the process gives up what it does not need, before it loads the library."""
    hidden: tuple[str, ...] = ()
    """Paths that stay closed wherever they stand: the data folder, keys, the configuration."""
