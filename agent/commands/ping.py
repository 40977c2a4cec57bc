"""ping: is the device there, and what does its clock say?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent import __version__
from agent.commands.seams import Answer
from agent.documents.base import Document

if TYPE_CHECKING:
    from agent.commands.seams import Order, Reach

SUMMARY = "answer, and say which release runs"
QUICK = True


class Args(Document):
    """Nothing."""


def run(args: Args, order: Order, reach: Reach) -> Answer:
    """Answer."""
    del args, order
    return Answer({"device": reach.device, "version": __version__})
