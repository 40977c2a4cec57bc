"""Outcomes: what became of a command on one device; signed with the device's key."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agent.documents._device import OfDevice, Sealed
from agent.documents.base import Document, Free, Words
from agent.documents.command import Id, Op
from agent.manifest import Sha256
from agent.processes.message import Count

KIND = "application/vnd.edge-agent.outcome+json"
MAX_BYTES = 96 << 10
_WHAT = "outcome"

State = Literal["accepted", "done", "failed", "refused"]
"""It is kept, and will be done; it was done; it was tried and could not be done; it was not tried. The last
three are the last word."""
Refusal = Literal[
    "signature", "audience", "replayed", "expired", "clock", "scope", "format", "unknown", "local", "busy",
    "quarantined",
]  # fmt: skip
"""Why it was not tried. ``local``: this device's own configuration forbids it."""


class Attached(Document):
    """A file that comes beside an outcome, in parts: see ``agent.documents.part``."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,100}$")]
    bytes: Count
    sha256: Sha256
    parts: Annotated[Count, Field(ge=1)]


class Outcome(OfDevice):
    """What became of a command. ``at`` is the device's clock; ``synced`` whether that is to be believed."""

    id: Id
    op: Op | Literal[""]
    state: State
    refusal: Refusal | None = None
    reason: Words = ""
    """Why it failed or was refused, in an error's words; of one that was accepted, what it waits for."""
    result: dict[str, Free] = Field(default={}, max_length=64)
    files: Annotated[tuple[Attached, ...], Field(max_length=8)] = ()
    at: Count
    synced: bool | None = None

    @property
    def last(self) -> bool:
        """Whether nothing more follows."""
        return self.state != "accepted"


_SEALED = Sealed(Outcome, KIND, _WHAT, MAX_BYTES)
encode, decode = _SEALED.encode, _SEALED.decode
