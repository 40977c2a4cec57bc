"""Reported state: what a device runs, how far it is with its desired state, and what it has refused."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agent.documents._device import OfDevice, Sealed
from agent.documents.base import Document, Place, Words
from agent.documents.desired import Wanted
from agent.manifest import Sha256
from agent.processes.message import Count

KIND = "application/vnd.edge-agent.reported+json"
MAX_BYTES = 128 << 10
_WHAT = "reported state"
_MOST_GENERATION = 1 << 52
"""What is above leaves no room for the generations that come after it: no operator has signed that."""

ModelState = Literal[
    "idle", "downloading", "verified", "proving", "probation", "active", "rejected", "rolled_back"
]
"""Where a pipeline stands on its way to the wanted model; ``idle`` when none is wanted."""


class Serving(Document):
    """A model on the device. ``bundle`` is the bundle's digest, "" for a model that came in no bundle."""

    name: Annotated[str, Field(max_length=200)]
    version: Annotated[str, Field(max_length=200)]
    bundle: Sha256 | Literal[""] = ""


class Standing(Document):
    """One pipeline. ``reason`` says why, in an error's words; ``overdue`` that the deadline has passed."""

    state: ModelState
    serving: Serving | None = None
    wanted: Wanted | None = None
    previous: Serving | None = None
    generation: Count = 0
    reason: Words = ""
    strikes: Annotated[int, Field(ge=0, le=1000)] = 0
    progress: tuple[Count, Count] | None = None
    """Bytes that are there, and bytes in all, while it downloads."""
    overdue: bool = False


class Metadata(Document):
    """The update metadata that the device has proved. ``expires`` is of the timestamp, seconds since 1970."""

    root: Count = 0
    timestamp: Count = 0
    expires: Count = 0
    problem: Words = ""


class AuditHead(Document):
    """The last entry of the device's audit log: its number, and the hash that all before it hang on."""

    seq: Count = 0
    head: Sha256 | Literal[""] = ""


SettingsState = Literal["idle", "waiting", "probation", "active", "rejected", "rolled_back"]
"""Where the device stands on its way to the wanted settings; ``waiting`` is for the maintenance window."""


class SettingsStanding(Document):
    """The settings over those of the configuration file."""

    state: SettingsState = "idle"
    generation: Count = 0
    """Of the desired state that wants them."""
    overrides: Annotated[tuple[Annotated[str, Field(max_length=200)], ...], Field(max_length=256)] = ()
    """The keys that are in force; values may be secrets."""
    reason: Words = ""
    overdue: bool = False
    strikes: Annotated[int, Field(ge=0, le=1000)] = 0


class Board(Document):
    """What the device is, as far as an operator chooses models by it. Sizes are units of 2^20 bytes."""

    profile: Annotated[str, Field(max_length=64)] = ""
    tested: bool = False
    machine: Annotated[str, Field(max_length=64)] = ""
    cores: Count = 0
    ram_mb: Count = 0
    budget_mb: Count = 0
    """What models may have of it."""
    disk_mb: Count = 0
    """What is free for models."""
    runtime: Annotated[str, Field(max_length=100)] = ""
    delegates: Annotated[tuple[Annotated[str, Field(max_length=100)], ...], Field(max_length=32)] = ()
    """What models can run on, in order of preference."""


class Reported(OfDevice):
    """What one device reports.

    ``at`` is its wall clock, seconds since 1970; ``synced`` whether that is to be believed.
    """

    generation: Annotated[Count, Field(le=_MOST_GENERATION)]
    """The newest generation that it has taken."""
    at: Count
    synced: bool | None = None
    pipelines: Annotated[dict[Place, Standing], Field(max_length=64)]
    metadata: Metadata = Metadata()
    audit: AuditHead = AuditHead()
    problem: Words = ""
    """Why it has refused a desired state that came since, or what keeps it from the whole."""
    agent: Annotated[str, Field(max_length=64)] = ""
    arch: Annotated[str, Field(max_length=64)] = ""
    groups: Annotated[tuple[Place, ...], Field(max_length=16)] = ()
    board: Board | None = None
    settings: SettingsStanding = SettingsStanding()
    maintenance: Literal["any", "open", "closed", "unknown"] = "any"
    """Whether the maintenance window is open; ``unknown`` while the clock was never set."""


_SEALED = Sealed(Reported, KIND, _WHAT, MAX_BYTES)
encode, decode = _SEALED.encode, _SEALED.decode
