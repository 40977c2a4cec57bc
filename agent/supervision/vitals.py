"""Says from time to time, and at once when a pipeline's state or model changes, how the device does."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

from agent import __version__
from agent.documents import vitals as documents
from agent.documents.vitals import PipelineVitals, Vitals
from agent.link import topics
from agent.link.settings import LinkUp
from agent.supervision.partners import QuietPartner
from agent.trust import keys as trust

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.clock import Clock
    from agent.config.tables import Mqtt
    from agent.plan import Plan
    from agent.supervision.partners import Offer

_LEAST_S = 5.0
_AT_ONCE_S = 10.0
"""Devices that come up together, as after a broker's restart, spread their first word over so much."""
_JITTER = 0.1
_WORDS = 200
"""Characters of a problem: with those of 64 pipelines it is still one document."""
_MOST = 64
_LARGEST = (1 << 53) - 1
"""Of a count: what a worker counts is its own word, and sums of it may be more."""


class VitalSigns(QuietPartner):
    """Publishes them.

    Args:
        plan: says who we are, and how often; its broker is named.
        mqtt: the broker.
        offer: what the supervisor has for partners.
        clock: where time comes from.
        chance: gives numbers from 0 to 1: so that 50,000 devices do not speak at once.
    """

    def __init__(
        self,
        plan: Plan,
        mqtt: Mqtt,
        offer: Offer,
        clock: Clock,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._fleet, self._device, self._every_s = mqtt.fleet, plan.device, plan.settings.metrics.vitals_s
        self._signer = trust.load(plan.settings.trust, plan.folder).signer
        self._topic = topics.up_vitals(mqtt.fleet, plan.device)
        self._offer, self._clock, self._chance = offer, clock, chance
        self._due, self._said_at = math.inf, -math.inf
        self._states: tuple[tuple[str, str], ...] = ()

    def take(self, event: object, now: float) -> None:
        """The link is up: say how we do, soon."""
        if isinstance(event, LinkUp) and self._every_s:
            self._due = now + self._chance() * min(_AT_ONCE_S, self._every_s / 6)

    def tick(self, now: float) -> None:
        """Say it when it is time to, or news."""
        lanes = self._offer.lanes
        states = tuple((one.state.value, one.ready.model if one.ready else "") for one in lanes)
        if states != self._states and self._due < math.inf:
            self._states, self._due = states, min(self._due, max(now, self._said_at + _LEAST_S))
        if now < self._due:
            return
        self._states, self._said_at = states, now
        self._due = now + self._every_s * (1 + _JITTER * (2 * self._chance() - 1))
        if self._offer.online():
            self._offer.publish(self._topic, documents.encode(self._vitals(), self._signer), True)  # noqa: FBT003

    def next_tick(self, now: float) -> float:
        """Seconds until ``tick`` wants to be called."""
        return max(0.0, min(self._due - now, 1.0))

    def _vitals(self) -> Vitals:
        status = self._offer.status()
        store, wall_ns = status["store"], self._clock.wall_ns()
        waits_ns = wall_ns - store["oldest_ns"] if store["oldest_ns"] else 0
        celsius = status["governor"]["readings"]["celsius"]
        return Vitals(
            fleet=self._fleet,
            device=self._device,
            at=max(0, wall_ns // 10**9),
            synced=self._clock.synced(),
            agent=__version__,
            uptime_s=int(status["uptime_s"]),
            temperature_c=None if celsius is None else min(300.0, max(-100.0, float(celsius))),
            backlog=store["backlog"],
            oldest_s=max(0, waits_ns // 10**9),
            lost=sum(one["evicted"] + one["lost"] for one in store["streams"].values()),
            pipelines={one["name"]: _pipeline(one) for one in status["pipelines"][:_MOST]},
        )


def _pipeline(one: dict[str, Any]) -> PipelineVitals:
    ledger = one["ledger"]
    return PipelineVitals(
        state=one["state"],
        model=(one["model"] or "")[:401],
        bundle=one["bundle"] or "",
        delegate=(one["delegate"] or "")[:100],
        fps=one["fps"],
        p50_ms=one["infer_p50_ms"] or None,
        p95_ms=one["infer_p95_ms"] or None,
        inferred=min(_LARGEST, ledger["inferred"]),
        failed=min(_LARGEST, sum(ledger["failed"].values())),
        dropped=min(_LARGEST, sum(ledger["dropped"].values())),
        restarts=one["restarts"],
        problem=(one["problem"] or "")[:_WORDS],
    )
