"""Tells of incidents, each with how long its pipeline was blind, and keeps the sums."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agent.events import Event, emit

if TYPE_CHECKING:
    from agent.workers.messages import Incident, Regained

_LASTING_S = 10.0
"""A pipeline that has no correct result for so long is told of; its twin should have had one at once."""


@dataclass(slots=True)
class Blindness:
    """How long pipelines had no correct result, after incidents of one accelerator."""

    last_us: int = 0
    sum_us: int = 0


@dataclass(frozen=True, slots=True)
class _Began:
    """An incident whose pipeline has no correct result yet."""

    incident: Incident
    then: str
    at: float


class Incidents:
    """The incidents that pipelines told of.

    Attributes:
        blindness: by the accelerator's name.
    """

    def __init__(self) -> None:
        self._began: dict[str, _Began] = {}
        self.blindness: defaultdict[str, Blindness] = defaultdict(Blindness)

    def began(self, pipeline: str, incident: Incident, then: str, now: float) -> None:
        """Take in an incident, and what is done about it: "open", "reset", "rest", or "twin" for no more."""
        self._close(pipeline, None)
        self._began[pipeline] = _Began(incident, then, now)

    def suspect(self, pipeline: str, incident: Incident, since: float, now: float) -> None:
        """Tell of results that may be wrong: of all since it was last known to be right."""
        since_ns = incident.good_ns or int(since * 1e9)
        emit(
            Event.ACCELERATOR_SUSPECT, incident.accelerator, pipeline=pipeline, from_ns=since_ns,
            to_ns=int(now * 1e9), problem=incident.problem,
        )  # fmt: skip

    def regained(self, pipeline: str, news: Regained) -> None:
        """Take in that a pipeline has a correct result again."""
        blindness = self.blindness[news.accelerator]
        blindness.last_us = news.blind_us
        blindness.sum_us += news.blind_us
        self._close(pipeline, news.blind_us)

    def tick(self, now: float) -> None:
        """Tell of incidents that last."""
        for pipeline in [name for name, one in self._began.items() if now - one.at >= _LASTING_S]:
            self._close(pipeline, None)

    def _close(self, pipeline: str, blind_us: int | None) -> None:
        if (began := self._began.pop(pipeline, None)) is None:
            return
        incident = began.incident
        emit(
            Event.ACCELERATOR_FAILED,
            incident.accelerator,
            pipeline=pipeline,
            kind=incident.kind,
            problem=incident.problem,
            blind_ms="unknown" if blind_us is None else round(blind_us / 1000, 1),
            then=began.then,
        )
