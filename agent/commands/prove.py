"""prove: whether a model that is on the device would be let serve; nothing changes.

A proof runs in a process of its own, on the CPU: no accelerator is lent to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from agent.commands.seams import needed
from agent.documents.base import Document, Place

if TYPE_CHECKING:
    from agent.commands.seams import Order, Reach, Work

SUMMARY = "prove a model that is on the device, as before it serves"
_SECONDS = 600.0


class Args(Document):
    """Which model, and for which pipeline."""

    pipeline: Place
    model: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}@[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$")
    ]
    """``name@version``."""


def run(args: Args, order: Order, reach: Reach) -> Work:
    """Run ``edge-agent model prove``; the answer is what was measured.

    Raises:
        Rejected: this agent runs no programs.
        AgentError: it cannot be started.
    """
    del order
    programs = needed(reach.programs, "programs")
    return programs.run("model", "prove", args.model, "--pipeline", args.pipeline, seconds=_SECONDS)
