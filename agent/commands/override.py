"""override: lay settings over those of the file and of the desired state, for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from agent.documents.base import Document, Free
from agent.documents.desired import Key
from agent.errors import Rejected

if TYPE_CHECKING:
    from agent.commands.seams import Order, Reach, Work

SUMMARY = "lay settings over those of the file and of the desired state; no values take them away"


class Args(Document):
    """Settings by their dotted keys, and for how many seconds; 0 until the next desired state or override."""

    values: dict[Key, Free] = Field(default={}, max_length=64)
    seconds: Annotated[float, Field(ge=0, le=31 * 86400)] = 3600.0


def run(args: Args, order: Order, reach: Reach) -> Work:
    """Begin it; it is done when they are in force and have stood their probation.

    Raises:
        ConfigInvalid: a key is unknown, or not the operator's to set, or the whole does not hold.
        Rejected: what is kept could not be read.
    """
    if reach.configuration is None:
        hint = "See edge-agent status for the store's problem"
        raise Rejected("override", "settings", "what is kept of them could not be read", hint)
    return reach.configuration.override(args.values, seconds=args.seconds, order=order)
