"""update: another release of the agent, installed, proven, and taken back where it is not well."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.documents.base import Document
from agent.documents.helper import Version
from agent.errors import Forbidden

if TYPE_CHECKING:
    from agent.commands.seams import Order, Reach, Work

SUMMARY = "install another release of the agent, through the package manager, and prove it"
DEADLINE_S = 6 * 3600.0


class Args(Document):
    """Which one, as the package manager calls it; ``window``: begin it in the maintenance window only."""

    version: Version
    window: bool = False


def run(args: Args, order: Order, reach: Reach) -> Work:
    """Ask the helper; the agent that runs in the end tells what came of it.

    Raises:
        Forbidden: it is not allowed, or nobody is there to do it.
    """
    if reach.machine is None:
        raise Forbidden("update", "the agent", "host.update of this device does not allow it")
    return reach.machine.update(args.version, order)
