"""The publisher's hint that there is news: not signed, so it only ever saves a wait."""

from __future__ import annotations

from typing import Literal

from agent.documents.base import Document, read
from agent.errors import MessageInvalid
from agent.processes.message import Count

MAX_BYTES = 1 << 10


class Hint(Document):
    """The newest versions of root and timestamp, as somebody says."""

    v: Literal[1] = 1
    root: Count
    timestamp: Count


def decode(payload: bytes) -> Hint | None:
    """Read a hint; None for what is none: nobody has to be told of that."""
    try:
        return read(Hint, payload, "hint") if len(payload) <= MAX_BYTES else None
    except MessageInvalid:
        return None
