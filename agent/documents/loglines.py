"""Lines of a device's log, sent while somebody has asked for them; signed by the device, and redacted by it.

``n`` counts the documents of one asking, from 1: a number that is left out was lost on the way. ``dropped``
are the lines that the device itself has left out before these, since there were too many.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from agent import dsse
from agent.documents._base import Document, Place, read
from agent.errors import WrongSender
from agent.message import Count

if TYPE_CHECKING:
    from agent.signing import Signer, Verifier

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


class LogLines(Document):
    """Some lines. ``at`` is the device's clock, seconds since 1970."""

    v: Literal[1] = 1
    fleet: Place
    device: Place
    n: Annotated[Count, Field(ge=1)]
    at: Count
    lines: Annotated[tuple[Line, ...], Field(max_length=MOST_LINES)]
    dropped: Count = 0
    last: bool = False
    """Whether none will follow: the time that was asked for is over."""


def encode(lines: LogLines, signer: Signer | None) -> bytes:
    """Make the message."""
    return dsse.seal(KIND, lines.model_dump_json().encode(), *([signer] if signer else []))


def decode(payload: bytes, verifier: Verifier | None, *, fleet: str, device: str) -> LogLines:
    """Read the message. Its texts are to be made plain before a terminal sees them.

    Raises:
        NotSigned: the device's key has not signed it.
        WrongSender: it is another device's.
        MessageInvalid: it is no such message.
    """
    keys = None if verifier is None else [verifier]
    found = read(LogLines, dsse.unseal(payload, KIND, keys, what=_WHAT, most=MAX_BYTES), _WHAT)
    if (found.fleet, found.device) != (fleet, device):
        raise WrongSender("read", _WHAT, f"they are of {found.device} of {found.fleet}")
    return found
