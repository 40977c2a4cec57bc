"""Lines of a device's log, sent while somebody has asked for them; signed by the device, and redacted by it.

``n`` counts the documents of one asking, from 1: a number that is left out was lost on the way. ``dropped``
are the lines that the device itself has left out before these, since there were too many.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agent.documents._device import OfDevice, Sealed
from agent.documents.base import Document
from agent.processes.message import Count

KIND = "application/vnd.edge-agent.log-lines+json"
MAX_BYTES = 96 << 10
MOST_LINES = 64
MOST_TEXT = 2000
"""Characters of a line; what is longer was cut."""
_WHAT = "lines of the log"

Level = Literal["debug", "info", "warning", "error", "critical"]


class Line(Document):
    """A line, as the device has written it: its time is in the text."""

    level: Level
    text: Annotated[str, Field(max_length=MOST_TEXT)]


class LogLines(OfDevice):
    """Some lines. ``at`` is the device's clock, seconds since 1970."""

    n: Annotated[Count, Field(ge=1)]
    at: Count
    lines: Annotated[tuple[Line, ...], Field(max_length=MOST_LINES)]
    dropped: Count = 0
    last: bool = False
    """Whether none will follow: the time that was asked for is over."""


_SEALED = Sealed(LogLines, KIND, _WHAT, MAX_BYTES)
encode, decode = _SEALED.encode, _SEALED.decode
"""Its texts are to be made plain before a terminal sees them."""
