"""rollback: go back to the model before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.commands.seams import Answer
from agent.documents.base import Document, Place
from agent.errors import Rejected

if TYPE_CHECKING:
    from agent.commands.seams import Order, Reach

SUMMARY = "take a pipeline's model out, and go back to the one before"
QUICK = True


class Args(Document):
    """Which pipeline."""

    pipeline: Place


def run(args: Args, order: Order, reach: Reach) -> Answer:
    """Go back, unless this command has done so before the agent died."""
    if reach.models is None:
        hint = "Set models.root to the fleet's root metadata, and start the agent again"
        raise Rejected("roll back", args.pipeline, "this agent takes no operator's models", hint)
    if not reach.models.rolled_back(order.id):
        reach.models.rollback(args.pipeline, order.id)
    return Answer({"pipeline": args.pipeline})
