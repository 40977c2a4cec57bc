"""restart: a new worker for a pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.commands.seams import Answer
from agent.documents.base import Document, Place
from agent.errors import Rejected

if TYPE_CHECKING:
    from agent.commands.seams import Order, Reach

SUMMARY = "end a pipeline's worker in good order, and start a new one"
QUICK = True


class Args(Document):
    """Which pipeline."""

    pipeline: Place


def run(args: Args, order: Order, reach: Reach) -> Answer:
    """Have the new worker; what was in flight is finished by the old one."""
    del order
    if reach.lanes is None:
        raise Rejected("restart", args.pipeline, "this agent runs no pipelines")
    reach.lanes.restart(args.pipeline)
    return Answer({"pipeline": args.pipeline})


def resume(args: Args, order: Order, reach: Reach) -> Answer:
    """The agent has ended meanwhile, and all workers with it: there is a new one already."""
    if reach.lanes is None or args.pipeline not in reach.lanes.names:
        return run(args, order, reach)
    return Answer({"pipeline": args.pipeline})
