"""Vitals: how a device does now, in a few numbers, for who looks after many of them; signed by the device.

Unlike metrics they do not wait in the store: the broker retains the newest, and what was before is gone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from agent import dsse
from agent.documents._base import Document, Place, Words, read
from agent.errors import WrongSender
from agent.manifest import Sha256
from agent.message import Count

if TYPE_CHECKING:
    from agent.signing import Signer, Verifier

KIND = "application/vnd.edge-agent.vitals+json"
MAX_BYTES = 64 << 10
_WHAT = "vitals"

_Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class PipelineVitals(Document):
    """One pipeline. Counts are the ledger's, since the agent's start."""

    state: Annotated[str, Field(max_length=32)]
    """The lane's: docs/states.md."""
    model: Annotated[str, Field(max_length=401)] = ""
    """``name@version`` of what serves; "" for nothing."""
    bundle: Sha256 | Literal[""] = ""
    delegate: Annotated[str, Field(max_length=100)] = ""
    fps: _Number | None = None
    """Results a second, lately."""
    p50_ms: _Number | None = None
    p95_ms: _Number | None = None
    """Percentiles of inference, milliseconds, lately."""
    inferred: Count = 0
    failed: Count = 0
    dropped: Count = 0
    restarts: Count = 0
    problem: Words = ""


class Vitals(Document):
    """One device. ``at`` is its wall clock, seconds since 1970; ``synced`` whether that is to be believed."""

    v: Literal[1] = 1
    fleet: Place
    device: Place
    at: Count
    synced: bool | None = None
    agent: Annotated[str, Field(max_length=64)] = ""
    """The agent's version."""
    uptime_s: Count = 0
    """Since the agent's start."""
    temperature_c: Annotated[float, Field(ge=-100, le=300, allow_inf_nan=False)] | None = None
    """The hottest zone that counts."""
    backlog: Count = 0
    """Records that the collector has not stored yet."""
    oldest_s: Count = 0
    """How old the oldest of them is, seconds; 0 without any."""
    lost: Count = 0
    """Records that were given up, ever."""
    pipelines: dict[Place, PipelineVitals] = Field(default={}, max_length=64)


def encode(vitals: Vitals, signer: Signer | None) -> bytes:
    """Make the message."""
    return dsse.seal(KIND, vitals.model_dump_json().encode(), *([signer] if signer else []))


def decode(payload: bytes, verifier: Verifier | None, *, fleet: str, device: str) -> Vitals:
    """Read the message.

    Raises:
        NotSigned: the device's key has not signed it.
        WrongSender: it is another device's.
        MessageInvalid: it is no such message.
    """
    keys = None if verifier is None else [verifier]
    found = read(Vitals, dsse.unseal(payload, KIND, keys, what=_WHAT, most=MAX_BYTES), _WHAT)
    if (found.fleet, found.device) != (fleet, device):
        raise WrongSender("read", _WHAT, f"they are of {found.device} of {found.fleet}")
    return found
