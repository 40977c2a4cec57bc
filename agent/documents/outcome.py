"""Outcomes: what became of a command on one device; signed with the device's key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from agent import dsse
from agent.documents._base import Document, Free, Place, Words, read
from agent.documents.command import Id, Op
from agent.errors import WrongSender
from agent.manifest import Sha256
from agent.message import Count

if TYPE_CHECKING:
    from agent.signing import Signer, Verifier

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


class Outcome(Document):
    """What became of a command. ``at`` is the device's clock; ``synced`` whether that is to be believed."""

    v: Literal[1] = 1
    fleet: Place
    device: Place
    id: Id
    op: Op | Literal[""]
    state: State
    refusal: Refusal | None = None
    reason: Words = ""
    """Why it failed or was refused, in an error's words."""
    result: dict[str, Free] = Field(default={}, max_length=64)
    files: Annotated[tuple[Attached, ...], Field(max_length=8)] = ()
    at: Count
    synced: bool | None = None

    @property
    def last(self) -> bool:
        """Whether nothing more follows."""
        return self.state != "accepted"


def encode(outcome: Outcome, signer: Signer | None) -> bytes:
    """Make the message."""
    return dsse.seal(KIND, outcome.model_dump_json().encode(), *([signer] if signer else []))


def decode(payload: bytes, verifier: Verifier | None, *, fleet: str, device: str) -> Outcome:
    """Read the message.

    Raises:
        NotSigned: the device's key has not signed it.
        WrongSender: it is another device's.
        MessageInvalid: it is no outcome.
    """
    keys = None if verifier is None else [verifier]
    found = read(Outcome, dsse.unseal(payload, KIND, keys, what=_WHAT, most=MAX_BYTES), _WHAT)
    if (found.fleet, found.device) != (fleet, device):
        raise WrongSender("read", _WHAT, f"it is of {found.device} of {found.fleet}")
    return found
