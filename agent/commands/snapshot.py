"""snapshot: a picture of what a pipeline sees, where its configuration allows it, after its privacy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.commands.seams import needed
from agent.documents.base import Document, Place

if TYPE_CHECKING:
    from agent.commands.seams import Order, Reach, Work

SUMMARY = "send a picture of what a pipeline sees, where that is allowed"
DEADLINE_S = 30.0


class Args(Document):
    """Of which pipeline."""

    pipeline: Place


def run(args: Args, order: Order, reach: Reach) -> Work:
    """Ask for the next frame.

    Raises:
        Rejected: there is no such pipeline, or its configuration does not allow it.
        SourceLost: it has no frames just now.
    """
    del order
    return needed(reach.pictures, "pictures").ask(args.pipeline)
