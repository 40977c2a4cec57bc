"""diagnostics: what helps to find a fault, without secrets, as a file beside the answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.commands.seams import needed
from agent.documents.base import Document

if TYPE_CHECKING:
    from agent.commands.seams import Order, Reach, Work

SUMMARY = "send what helps to find a fault, without secrets"
_SECONDS = 120.0


class Args(Document):
    """Nothing."""


def run(args: Args, order: Order, reach: Reach) -> Work:
    """Run ``edge-agent diagnose``.

    Raises:
        Rejected: this agent runs no programs.
        AgentError: it cannot be started.
    """
    del args, order
    name = f"diagnostics-{reach.device}.tar.gz"
    return needed(reach.programs, "programs").run("diagnose", seconds=_SECONDS, file=name)
