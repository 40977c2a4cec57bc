"""Accelerators of a board: what a device profile says of each, and the limits that it is held to.

The first of a profile's list that works serves; a pipeline's CPU twin stands in for it at any moment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from agent import plugins
from agent.errors import ConfigInvalid
from agent.processes.message import Count, Message, Word
from agent.validation import options

if TYPE_CHECKING:
    from agent.boards.delegation import Delegate


NOWHERE = "none"
"""What a model runs on that has no version for the CPU, while its accelerator is away."""


class Limits(BaseModel):
    """How long an accelerator may take, seconds; what is longer is an incident.

    One inference may take ``factor`` times the 99th percentile of those before it, but at least ``floor_s``
    and at most ``invoke_s``, which also holds until enough inferences were seen to learn from.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    open_s: float = Field(default=30, gt=0, le=600)
    """Loading its library and opening the device."""
    load_s: float = Field(default=60, gt=0, le=600)
    """Loading a model, with its first inference."""
    invoke_s: float = Field(default=2, gt=0, le=600)
    """One inference, whatever was learned."""
    floor_s: float = Field(default=0.25, gt=0, le=600)
    """What an inference may always take: a busy machine is no incident."""
    factor: float = Field(default=10, ge=2, le=1000)
    """How many times the 99th percentile an inference may take."""


class Accelerator(BaseModel):
    """One accelerator, or one way to run models on it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: str
    """Which module of `agent/delegates`: "edgetpu", "nnapi", "vx", "armnn", "ethosu", "gpu", "external",
    "xnnpack" or "cpu"."""
    name: str = Field(default="", pattern=r"^([a-z0-9][a-z0-9_-]{0,31})?$")
    """What it is called in results and status; its kind when empty."""
    options: dict[str, Any] = {}
    """The delegate's own options, such as `library` and `device`."""
    exclusive: bool = True
    """Whether one process alone may have it open."""
    limits: Limits = Limits()
    recheck_s: float = Field(default=600, ge=0, le=86400)
    """Seconds between two looks at whether it still computes its golden answers; 0 for never."""
    reset: Literal["", "usb"] = ""
    """How a device that does not come back is reset; "" where nothing can."""

    @property
    def title(self) -> str:
        """Its name, or its kind."""
        return self.name or self.kind

    @property
    def native(self) -> bool:
        """Whether it is a library of its own, which runs in a process of its own; a CPU's kernels are not."""
        return self.kind not in {"xnnpack", "cpu"}


def delegate_of(accelerator: Accelerator) -> Delegate:
    """Make the delegate that a profile's entry means; nothing is opened.

    Raises:
        ConfigInvalid: there is no such kind, or an option is wrong.
    """
    module = plugins.load("delegates", accelerator.kind, "delegates", "kind")
    try:
        given = options(module.Options, accelerator.options, "options")
    except ConfigInvalid as error:
        subject = f"{error.subject} of {accelerator.title}"
        raise ConfigInvalid(error.op, subject, error.problem, "Correct the device profile") from error
    delegate: Delegate = module.build(given)
    return delegate


class Lend(Message):
    """The supervisor's word to a worker: the descriptor with it is a connection to an accelerator process."""

    type: Literal["accelerate"] = "accelerate"
    accelerator: Word
    """Its title."""
    generation: Count
    """Of the connection; a newer one takes the place of all before it."""
    limits: Limits = Limits()
    recheck_s: float = Field(default=600, ge=0, le=86400)
