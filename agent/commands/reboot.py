"""reboot: the machine, where the device's own configuration allows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.documents.base import Document
from agent.errors import Forbidden

if TYPE_CHECKING:
    from agent.commands.seams import Order, Reach, Work

SUMMARY = "reboot the machine, through a helper that runs as root"
DEADLINE_S = 900.0


class Args(Document):
    """``window``: begin it in the maintenance window only."""

    window: bool = False


def run(args: Args, order: Order, reach: Reach) -> Work:
    """Ask the helper; after the reboot, or where it did not come, tell so.

    Raises:
        Forbidden: it is not allowed, or nobody is there to do it.
    """
    del args
    if reach.machine is None:
        raise Forbidden("reboot", "the machine", "host.reboot of this device does not allow it")
    return reach.machine.reboot(order)
