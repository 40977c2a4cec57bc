"""What is known of a rollout, as its file keeps it: DIR/rollouts/<name>.json."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from agent.documents.base import Document, Place, Words
from agent.documents.desired import Wanted
from agent.fleet.rollouts.table import State
from agent.processes.message import Count

MOST_DEVICES = 100_000
MOST_HISTORY = 500
_Share = Annotated[float, Field(ge=0, le=1)]
_Seconds = Annotated[float, Field(ge=0, le=365 * 86400)]
_Name = Annotated[str, Field(max_length=200)]

Metric = Literal["p50", "p95", "fps", "failed", "dropped", "restarts", "temperature", "backlog", "oldest"]
"""What a condition looks at: fields of the vitals."""
Verdict = Literal["waiting", "converged", "failed", "silent", "superseded"]
"""What became of a device; ``superseded``: somebody else has decided since what it runs."""


class Condition(Document):
    """A rollout halts when a metric is above, or below, a limit; ``relative``: times what it was before."""

    metric: Metric
    above: bool
    limit: Annotated[float, Field(ge=0, allow_inf_nan=False)]
    relative: bool = False
    text: Annotated[str, Field(max_length=100)]
    """As the operator wrote it."""


class Plan(Document):
    """What the operator wants. Shares are of a wave's devices, times seconds."""

    name: Place
    fleet: Place
    model: Wanted
    pipelines: Annotated[tuple[Place, ...], Field(min_length=1, max_length=16)]
    waves: Annotated[tuple[_Name, ...], Field(min_length=1, max_length=32)]
    soak_s: _Seconds
    deadline_s: Annotated[float, Field(gt=0, le=365 * 86400)]
    max_fail: _Share
    max_silent: _Share | None = None
    """None: a device that is silent when the deadline passes has failed."""
    conditions: Annotated[tuple[Condition, ...], Field(max_length=16)] = ()
    on_fail: Literal["abort", "halt"] = "abort"
    seed: Count = 0
    frames: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Good frames until a device trusts the model; None leaves it as it was."""
    seconds: Annotated[float, Field(ge=0, le=7 * 86400)] | None = None
    """Seconds of service until then."""


class Member(Document):
    """One device. ``wave`` counts from 0.

    Attributes:
        floor: the generation of its desired state before the rollout; None while nothing was published.
        previous: what that wanted of each pipeline; None where it wanted nothing.
        generation: of the desired state that wants the rollout's model; 0 while none was published.
        back: the generation that puts back what was; 0 where nothing was to be put back.
        excused: it had failed when a person let the rollout go on.
        before: how it did before, by ``<pipeline>.<metric>``.
    """

    wave: Count
    floor: Count | None = None
    previous: dict[Place, Wanted | None] = Field(default={})
    generation: Count = 0
    verdict: Verdict = "waiting"
    reason: Words = ""
    excused: bool = False
    back: Count | None = None
    before: dict[_Name, float] = Field(default={})


class Entry(Document):
    """A transition. ``at`` is the operator's wall clock, seconds since 1970."""

    at: Count
    state: State
    wave: Count
    why: Words = ""


class Lease(Document):
    """Which process works on it, since when by its machine's wall clock; ``token`` is drawn at random."""

    host: Annotated[str, Field(max_length=255)]
    pid: Count
    since: Count
    token: Annotated[str, Field(max_length=64)]


class Rollout(Document):
    """The whole. ``waived`` is how many waves a person has let pass, whatever their conditions said."""

    v: Literal[1] = 1
    plan: Plan
    state: State = State.PLANNED
    wave: Count = 0
    sizes: Annotated[tuple[Count, ...], Field(min_length=1, max_length=32)]
    members: Annotated[dict[Place, Member], Field(min_length=1, max_length=MOST_DEVICES)]
    left_out: dict[Place, Words] = Field(default={}, max_length=MOST_DEVICES)
    unknown: Annotated[tuple[Place, ...], Field(max_length=MOST_DEVICES)] = ()
    """Devices that have reported nothing: they take part, and nobody knows whether they can."""
    reason: Words = ""
    waived: Count = 0
    history: Annotated[tuple[Entry, ...], Field(max_length=MOST_HISTORY)] = ()
    lease: Lease | None = None
