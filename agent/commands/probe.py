"""probe: what this board is, and what its accelerators can do; those that the agent uses are left alone."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from agent.commands.seams import needed
from agent.documents.base import Document

if TYPE_CHECKING:
    from agent.commands.seams import Order, Reach, Work

SUMMARY = "look which board this is, and try its accelerators"
_SECONDS = 300.0


class Args(Document):
    """Nothing."""


def run(args: Args, order: Order, reach: Reach) -> Work:
    """Run ``edge-agent probe``; the answer is the device passport.

    Raises:
        Rejected: this agent runs no programs.
        AgentError: it cannot be started.
    """
    del args, order
    programs = needed(reach.programs, "programs")
    used = [str(one["name"]) for one in reach.status().get("accelerators", ()) if one.get("pid")]
    return programs.run("probe", *chain.from_iterable(("--without", one) for one in used), seconds=_SECONDS)
