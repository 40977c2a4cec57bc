"""logs: the newest lines of the log, and those to come, for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from agent.commands.seams import Answer, needed
from agent.documents.base import Document
from agent.documents.loglines import Level
from agent.processes.message import Count

if TYPE_CHECKING:
    from agent.commands.seams import Order, Reach

SUMMARY = "give the newest lines of the log, and follow it for a while"
QUICK = True
_MOST_BYTES = 40 << 10


class Args(Document):
    """How many, which, and for how long to follow."""

    lines: Annotated[Count, Field(le=500)] = 100
    follow_s: Annotated[float, Field(ge=0, le=3600)] = 0.0
    level: Level = "debug"
    """The least important ones that are wanted; what is not logged cannot be given, but it is followed."""


def run(args: Args, order: Order, reach: Reach) -> Answer:
    """Give lines, and begin to send those that come.

    Raises:
        Rejected: there is no log to reach, or no broker to send it to.
    """
    del order
    logs = needed(reach.logs, "the log")
    lines = logs.recent(args.lines, args.level)
    size, kept = 0, len(lines)
    for text in reversed(lines):
        size += len(text.encode()) + 4
        if size > _MOST_BYTES:
            break
        kept -= 1
    if args.follow_s:
        logs.follow(args.follow_s, args.level)
    return Answer({"lines": lines[kept:], "left_out": kept, "follow_s": args.follow_s})
