"""Vitals: how a device does now, in a few numbers, for who looks after many of them; signed by the device.

Unlike metrics they do not wait in the store: the broker retains the newest, and what was before is gone.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agent.documents._device import OfDevice, Sealed
from agent.documents.base import Document, Place, Words
from agent.manifest import Sha256
from agent.processes.message import Count

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


class Vitals(OfDevice):
    """One device. ``at`` is its wall clock, seconds since 1970; ``synced`` whether that is to be believed."""

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


_SEALED = Sealed(Vitals, KIND, _WHAT, MAX_BYTES)
encode, decode = _SEALED.encode, _SEALED.decode
