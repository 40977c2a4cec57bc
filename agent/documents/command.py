"""Commands: what the operator has devices do once; signed, dated, numbered, and for somebody.

A command's ``counter`` rises with each one that a key signs for an audience, so that none can be played
back; ``expires`` says until when it may be begun. A device keeps what became of a command under its ``id``:
one that comes again is answered, and not done, again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from agent.documents.base import Document, Free, Place, read
from agent.errors import WrongSender
from agent.processes.message import Count
from agent.trust import dsse

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from agent.trust.signing import Signer, Verifier

KIND = "application/vnd.edge-agent.command+json"
MAX_BYTES = 32 << 10
BARE = frozenset({"ping", "status"})
"""What anybody may ask without a signature: it changes nothing."""
_WHAT = "command"

Id = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{7,63}$")]
"""What a command is known by: drawn at random by who sends it."""
Op = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,31}$")]
"""What is to be done: a module of ``agent.commands``."""
Audience = Annotated[str, Field(pattern=r"^(all|[dg]/[a-z0-9][a-z0-9_-]{0,62})$")]
"""Who is meant, as the topics put it: ``d/<device>``, ``g/<group>`` or ``all``."""


class Command(Document):
    """One command. ``issued`` and ``expires`` are the operator's wall clock, seconds since 1970."""

    v: Literal[1] = 1
    fleet: Place
    audience: Audience
    id: Id
    counter: Annotated[Count, Field(ge=1)]
    issued: Count
    expires: Count
    op: Op
    args: dict[str, Free] = Field(default={}, max_length=32)


def encode(command: Command, *signers: Signer) -> bytes:
    """Make the message."""
    return dsse.seal(KIND, command.model_dump_json().encode(), *signers)


def decode(
    payload: bytes, verifiers: Sequence[Verifier] | None, *, fleet: str, audiences: Collection[str]
) -> tuple[Command, str]:
    """Read the message.

    Args:
        payload: the message.
        verifiers: the keys that may sign commands; None takes it unproven.
        fleet: whose it must be.
        audiences: those that we belong to.

    Returns:
        The command, and the id of the key that has signed it: "" where nobody was asked for.

    Raises:
        NotSigned: none of these keys has signed it.
        WrongSender: it is for somebody else.
        MessageInvalid: it is no command.
    """
    found, key = opened(payload, verifiers)
    if found.fleet != fleet or found.audience not in audiences:
        raise WrongSender("read", _WHAT, f"it is for {found.audience} of {found.fleet}")
    return found, key


def opened(payload: bytes, verifiers: Sequence[Verifier] | None) -> tuple[Command, str]:
    """As ``decode``, whoever it is for."""
    document, key = dsse.opened(payload, KIND, verifiers, what=_WHAT, most=MAX_BYTES)
    return read(Command, document, _WHAT), key
