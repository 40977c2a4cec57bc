"""What is known of one device, in little memory: there may be tens of thousands."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agent.wording import plain

if TYPE_CHECKING:
    from agent.documents.reported import Reported
    from agent.documents.vitals import Vitals
    from agent.fleet.states import State

_MODEL, _PROBLEM = 80, 200
GONE_WRONG = frozenset(("rejected", "rolled_back"))
"""Where a way to what is wanted has ended badly."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """How one pipeline does. ``fps`` and ``p95_ms`` are lately's; None is unknown."""

    name: str
    state: str = ""
    model: str = ""
    fps: float | None = None
    p95_ms: float | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A pipeline, or the settings, that did not become what was wanted."""

    what: str
    state: str
    reason: str = ""
    overdue: bool = False


@dataclass(frozen=True, slots=True)
class Facts:
    """One device, by what it has said last.

    Attributes:
        device: its name.
        groups: those of the operator's list.
        online: what the broker says; None: it has never been there.
        version: the agent's.
        at: when it last said something that is proved, by its own clock, seconds since 1970; 0: never.
        synced: whether that clock is to be believed.
        uptime_s: since the agent's start.
        temperature_c: of the hottest zone.
        backlog: records that the collector does not have.
        oldest_s: how old the oldest of them is.
        lost: records that were given up.
        pipelines: how each does.
        served: what each serves, where nothing else is known of it.
        generation: of the desired state that it has taken.
        troubles: what of it went wrong, or is late.
        metadata_until: when its update metadata expires, seconds since 1970; 0: it has none.
        certificate_until: when its newest certificate ends, seconds since 1970; 0: it has none from here.
        problem: what keeps it from the whole.
        unproved: why something that is said in its name does not count.
    """

    device: str
    groups: tuple[str, ...] = ()
    online: bool | None = None
    version: str = ""
    at: int = 0
    synced: bool | None = None
    uptime_s: int = 0
    temperature_c: float | None = None
    backlog: int | None = None
    oldest_s: int = 0
    lost: int = 0
    pipelines: tuple[Pipeline, ...] = ()
    served: tuple[Pipeline, ...] = ()
    generation: int = 0
    troubles: tuple[Trouble, ...] = ()
    metadata_until: int = 0
    certificate_until: int = 0
    problem: str = ""
    unproved: str = ""


def with_state(facts: Facts, state: State) -> Facts:
    """Take in what nobody signs: whether it is there, and its release."""
    return replace(facts, online=state.online, version=facts.version or plain(state.version, _MODEL))


def with_vitals(facts: Facts, vitals: Vitals) -> Facts:
    """Take in how it does."""
    pipelines = tuple(
        Pipeline(
            name,
            one.state,
            plain(one.model, _MODEL),
            one.fps,
            one.p95_ms,
            plain(one.problem, _PROBLEM),
        )
        for name, one in sorted(vitals.pipelines.items())
    )
    return replace(
        facts,
        version=plain(vitals.agent, _MODEL) or facts.version,
        at=max(facts.at, vitals.at),
        synced=vitals.synced,
        uptime_s=vitals.uptime_s,
        temperature_c=vitals.temperature_c,
        backlog=vitals.backlog,
        oldest_s=vitals.oldest_s,
        lost=vitals.lost,
        pipelines=pipelines,
    )


def with_reported(facts: Facts, found: Reported) -> Facts:
    """Take in how far it is with what is wanted, and what it serves."""
    troubles = [
        Trouble(name, one.state, plain(one.reason, _PROBLEM), one.overdue)
        for name, one in sorted(found.pipelines.items())
        if one.overdue or one.state in GONE_WRONG
    ]
    settings = found.settings
    if settings.overdue or settings.state in GONE_WRONG:
        reason = plain(settings.reason, _PROBLEM)
        troubles.append(Trouble("settings", settings.state, reason, settings.overdue))
    served = [
        Pipeline(name, model=plain(f"{one.serving.name}@{one.serving.version}", _MODEL))
        for name, one in sorted(found.pipelines.items())
        if one.serving
    ]
    return replace(
        facts,
        version=facts.version or plain(found.agent, _MODEL),
        at=max(facts.at, found.at),
        synced=found.synced if facts.synced is None else facts.synced,
        generation=found.generation,
        troubles=tuple(troubles),
        metadata_until=found.metadata.expires,
        problem=plain(found.problem, _PROBLEM),
        served=tuple(served),
    )
