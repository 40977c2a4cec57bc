"""purge: delete what the device keeps; what the collector did not have is told to it as lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from agent.commands.seams import needed
from agent.documents.base import Document

if TYPE_CHECKING:
    from agent.commands.seams import Order, Reach, Work

SUMMARY = "delete results, metrics, alerts, media or unused bundles"


class Args(Document):
    """What is to go; nothing goes unless it is named."""

    what: Annotated[
        tuple[Literal["results", "metrics", "alerts", "media", "bundles"], ...],
        Field(min_length=1, max_length=5, strict=False),
    ]


def run(args: Args, order: Order, reach: Reach) -> Work:
    """Delete it; the answer says how many records, files and bytes went.

    Raises:
        Rejected: there is nothing to reach, or bundles are being fetched.
        StoreBusy: the disk refuses.
    """
    del order
    return needed(reach.data, "data").purge(args.what)
