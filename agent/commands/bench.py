"""bench: how fast a model runs here, on the CPU unless an accelerator is named: that one is then shared."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from agent.commands.seams import needed
from agent.documents.base import Document

if TYPE_CHECKING:
    from agent.commands.seams import Order, Reach, Work

SUMMARY = "measure how fast a model runs, in each way that there is"
_SPARE_S = 240.0
"""For starting each way's process and loading the model there."""


class Args(Document):
    """What to measure, and for how long."""

    model: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    """A pipeline, or a bundled model."""
    seconds: Annotated[float, Field(ge=0.1, le=120, strict=False)] = 10.0
    delegates: Annotated[
        tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")], ...],
        Field(min_length=1, max_length=8, strict=False),
    ] = ("cpu",)
    """Accelerators of the profile that are measured, too: one that the agent uses has to do both."""


def run(args: Args, order: Order, reach: Reach) -> Work:
    """Run ``edge-agent bench``; the answer is its table.

    Raises:
        Rejected: this agent runs no programs.
        AgentError: it cannot be started.
    """
    del order
    programs = needed(reach.programs, "programs")
    named = chain.from_iterable(("--delegate", one) for one in args.delegates)
    seconds = f"{args.seconds:g}"
    return programs.run("bench", args.model, "--seconds", seconds, *named, seconds=args.seconds + _SPARE_S)
