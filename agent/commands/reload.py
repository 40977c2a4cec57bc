"""reload: read the configuration file again, and begin anew with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.documents.base import Document
from agent.errors import Rejected

if TYPE_CHECKING:
    from agent.commands.seams import Order, Reach, Work

SUMMARY = "read the configuration file again, and begin anew with it; one that does not hold changes nothing"


class Args(Document):
    """Nothing."""


def run(args: Args, order: Order, reach: Reach) -> Work:
    """Begin it; the life of the agent that follows has the answer.

    Raises:
        ConfigInvalid: the file does not hold.
        Rejected: what is kept could not be read.
    """
    del args
    if reach.configuration is None:
        hint = "See edge-agent status for the store's problem"
        raise Rejected("reload", "configuration", "what is kept of it could not be read", hint)
    return reach.configuration.reload(order)
