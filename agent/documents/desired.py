"""Desired state: what the operator wants of one device: models, settings, and when; he signs it.

The newest generation supersedes all others. A device takes no generation below one that it has taken, and no
second content for the same one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from agent.documents.base import Document, Free, Place, read
from agent.errors import WrongSender
from agent.manifest import Name, Version
from agent.processes.message import Count
from agent.schedules import Window
from agent.trust import dsse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.trust.signing import Signer, Verifier

KIND = "application/vnd.edge-agent.desired+json"
"""The payload's type, which the signature is bound to."""
MAX_BYTES = 64 << 10
_WHAT = "desired state"

Key = Annotated[str, Field(max_length=200, pattern=r"^[a-z][a-z0-9_]*(\.[A-Za-z0-9_-]+)*$")]
"""A setting's place, with dots between."""


class Wanted(Document):
    """A model, as ``models/<name>/<version>/manifest.json`` of the update metadata."""

    name: Name
    version: Version

    def __str__(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"


class Probation(Document):
    """When a new model has proved itself in service: after so many good frames and so much powered time.

    ``failed`` is the share of frames that may fail, ``slower`` how many times the p95 of its budget (without
    one, of its proof) the inference may take.
    """

    frames: Annotated[int, Field(ge=1, le=1_000_000)] = 300
    seconds: Annotated[float, Field(ge=0, le=7 * 86400)] = 60.0
    failed: Annotated[float, Field(ge=0, le=1)] = 0.02
    slower: Annotated[float, Field(ge=1, le=100)] = 3.0


class Maintenance(Document):
    """When the device may do what disturbs it: swap models, take settings, restart.

    ``zone`` is a time zone's name; "" is the device's own. A device whose clock was never set waits.
    """

    windows: Annotated[tuple[Window, ...], Field(min_length=1, max_length=16)]
    zone: Annotated[str, Field(max_length=64)] = ""


class Desired(Document):
    """One device's desired state; pipelines that it does not name keep what they have.

    ``overrides`` are settings over those of the device's configuration file, by their dotted keys, as
    ``pipelines.door.max_rate``: pipelines and sources go by their names. They replace all that were there
    before. ``maintenance`` says when what disturbs may be done; None: at any time. ``deadline_s`` is how long
    the device may take, in seconds of the agent's present life, until it reports that it is overdue; it goes
    on trying. ``issued`` is the operator's wall clock, seconds since 1970.
    """

    v: Literal[1] = 1
    fleet: Place
    device: Place
    generation: Annotated[Count, Field(ge=1)]
    models: Annotated[dict[Place, Wanted], Field(max_length=64)]
    probation: Probation = Probation()
    deadline_s: Annotated[float, Field(gt=0, le=365 * 86400)] = 86400.0
    issued: Count = 0
    overrides: dict[Key, Free] = Field(default={}, max_length=256)
    maintenance: Maintenance | None = None


_LATER = ("overrides", "maintenance")
"""Keys that agents of release 0.1 refuse: they are left out where they say nothing."""


def encode(desired: Desired, *signers: Signer) -> bytes:
    """Make the message."""
    without = {key for key in _LATER if not getattr(desired, key)}
    return dsse.seal(KIND, desired.model_dump_json(exclude=without).encode(), *signers)


def decode(payload: bytes, verifiers: Sequence[Verifier] | None, *, fleet: str, device: str) -> Desired:
    """Read the message.

    Args:
        payload: the message.
        verifiers: the keys that may sign desired state; None takes it unproven.
        fleet: whose it must be.
        device: whose it must be.

    Raises:
        NotSigned: none of these keys has signed it.
        WrongSender: it is another device's.
        MessageInvalid: it is no desired state.
    """
    document = dsse.unseal(payload, KIND, verifiers, what=_WHAT, most=MAX_BYTES)
    found = read(Desired, document, _WHAT)
    if (found.fleet, found.device) != (fleet, device):
        raise WrongSender("read", _WHAT, f"it is for {found.device} of {found.fleet}")
    return found
