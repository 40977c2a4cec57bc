"""log-level: more or less in the log, for a while; a restart ends it, too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from agent.commands.seams import Answer, needed
from agent.documents.base import Document

if TYPE_CHECKING:
    from agent.commands.seams import Order, Reach

SUMMARY = "log more or less for a while, then as before"
QUICK = True


class Args(Document):
    """Which level, and for how long."""

    level: Literal["debug", "info", "warning", "error"]
    seconds: Annotated[float, Field(ge=1, le=86400)] = 600.0


def run(args: Args, order: Order, reach: Reach) -> Answer:
    """Change it.

    Raises:
        Rejected: there is no log to reach.
    """
    del order
    needed(reach.logs, "the log").level(args.level, args.seconds)
    return Answer({"level": args.level, "seconds": args.seconds})
