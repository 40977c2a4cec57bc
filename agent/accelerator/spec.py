"""What an accelerator process is to do, and on what terms a worker is lent a connection to it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from agent.accelerators import Accelerator, Limits
from agent.message import Count, Message, Word


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


class Lend(Message):
    """The supervisor's word to a worker: the descriptor with it is a connection to an accelerator process."""

    type: Literal["accelerate"] = "accelerate"
    accelerator: Word
    """Its title."""
    generation: Count
    """Of the connection; a newer one takes the place of all before it."""
    limits: Limits = Limits()
    recheck_s: float = Field(default=600, ge=0, le=86400)
    kind: Word = ""
