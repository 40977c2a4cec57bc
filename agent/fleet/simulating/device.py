"""One simulated device: the agent's own parts, without its processes and threads. Told the time."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from agent.activation.manager import Activation
from agent.activation.site import site
from agent.activation.standing import standing
from agent.commands.seams import Reach
from agent.dispatch.manager import Dispatch
from agent.dispatch.pipelines import Pipelines
from agent.dispatch.rules import Rules
from agent.fleet.simulating.clock import SimulatedClock
from agent.fleet.simulating.faults import rng
from agent.fleet.simulating.lane import SimulatedLane
from agent.fleet.simulating.line import Line
from agent.fleet.simulating.outbox import MemoryStore
from agent.fleet.simulating.proof import SimulatedProof
from agent.fleet.simulating.status import status
from agent.link.settings import LinkMessage
from agent.slots import Kept
from agent.store.reports import Changed
from agent.supervision.partners import Partners, offered
from agent.supervision.recorder import Recorder
from agent.supervision.vitals import VitalSigns
from agent.trust.keys import load
from agent.uplink.uplink import Uplink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.fleet.simulating.common import Common
    from agent.fleet.simulating.faults import Traits
    from agent.plan import Plan
    from agent.supervision.partners import Offer
    from agent.workers.lane import Lane

_TICK_S = 1.0


class SimulatedDevice:
    """Makes results, keeps and delivers them, and converges to what the operator wants.

    Args:
        plan: its configuration, as an agent has it.
        traits: what is wrong with it.
        common: what it shares with the other devices of the process.
        now: when it joins, monotonic seconds.

    Attributes:
        line: its link, for who waits for many.
        joined: whether it has begun.
    """

    def __init__(self, plan: Plan, traits: Traits, common: Common, now: float) -> None:
        self._plan, self._traits, self._common = plan, traits, common
        self._clock = SimulatedClock(common.clock, traits.clock_s)
        self._rng = rng(common.seed, plan.device)
        self._events: deque[object] = (
            deque()
        )  # emptied each turn; what a broker sends is bounded by the intake
        self._store = MemoryStore(self._clock, common.store, self._events.append)
        self._lane = SimulatedLane(plan.lanes[0].pipeline, traits, common.models, self._rng)
        self._recorder = Recorder(self._store, [self._lane], self._clock)
        self._uplink = Uplink(plan, self._store, self._events.append, self._connect)
        self._began, self._counted, self._owed = now, now, 0.0
        # All that is asked of a lane is there; it has no process.
        lanes = cast("Sequence[Lane]", [self._lane])
        offer = offered(lanes, self._uplink, status=lambda: self._status(common.clock.monotonic()), end=_ends)
        self._activation = self._activated(offer)
        self._partners = self._made(offer)
        self._tick_at = now + self._rng.uniform(0, _TICK_S)
        self._change_at = now + traits.online_s if traits.online_s else 0.0
        self._ending = False
        self._lane.start(now)
        self._uplink.start()

    def _connect(self, *words: Any, **more: Any) -> Line:
        self.line = Line(*words, **more, rng=self._rng)
        return self.line

    def _activated(self, offer: Offer) -> Activation | None:
        ours = site(self._plan)
        if ours is None:
            return None
        prove = partial(
            SimulatedProof,
            traits=self._traits,
            models=self._common.models,
            rng=self._rng,
            bad=self._common.bad,
        )
        ours = replace(
            ours,
            prove=prove,
            fetch=lambda spec: self._common.updater.ask(spec, self._traits.bytes_per_s, self.hurry),
        )
        return Activation(ours, Kept(), [self._lane], self._store, clock=self._clock, publish=offer.publish)

    def _made(self, offer: Offer) -> Partners:
        """Make the partners of an agent that are simulated: models, commands, vitals."""
        plan, clock, models = self._plan, self._clock, self._activation
        mqtt, groups, table = plan.mqtt, plan.settings.device.groups, plan.settings.commands
        if mqtt is None:
            raise ValueError("there is no broker in the plan")
        rules = Rules(mqtt.fleet, plan.device, groups=groups, table=table, authority=models, clock=clock)
        reach = Reach(
            device=plan.device,
            status=offer.status,
            lanes=Pipelines(offer.lanes, clock),
            models=models.back if models else None,
        )
        dispatch = Dispatch(
            rules=rules,
            groups=groups,
            kept=Kept(),
            store=self._store,
            clock=clock,
            reach=reach,
            offer=offer,
            signer=load(plan.settings.trust, plan.folder).signer,
        )
        return Partners(models, [dispatch, VitalSigns(plan, mqtt, offer, clock, self._rng.random)])

    def _status(self, now: float) -> dict[str, Any]:
        up = {"uptime_s": now - self._began, "fps": self._common.rate}
        return status(self._plan, self._lane, self._store, self._uplink, **up)

    def hurry(self) -> None:
        """Something is there to be taken in: the next turn comes at once."""
        self._tick_at = 0.0

    def turn(self, now: float, *, readable: bool, writable: bool) -> None:
        """Do what is due; the socket is readable, writable, or neither."""
        self.line.go_on(readable=readable, writable=writable)
        if now >= self._tick_at:
            self._tick_at = now + _TICK_S
            self._tick(now)
        self._store.turn(now, everything=self._ending)
        self._take_all(now)
        self.line.begin(now)

    def due(self, now: float) -> float:
        """Seconds until ``turn`` wants to be called, whatever the socket does."""
        stored = self._store.due(now)
        waits = [self._tick_at - now, self.line.wants(now).seconds]
        return max(0.0, min(waits if stored is None else [*waits, stored]))

    def stop(self) -> None:
        """Make no more results, and commit those that there are."""
        self._ending = True
        self._partners.stop()

    def leave(self) -> None:
        """Say goodbye; the turns that follow send it."""
        self._uplink.close()
        self._partners.close()

    @property
    def busy(self) -> bool:
        """Whether it is online, and has records that the collector does not have."""
        return self._uplink.online and self._store.pending > 0

    @property
    def counts(self) -> Counter[str]:
        """What it has done: records made, stored and lost, batches sent, whether it is online."""
        store, link = self._store, self._uplink.status()
        return Counter(
            online=int(self._uplink.online),
            records=store.committed,
            stored=store.acked,
            lost=store.lost,
            backlog=store.backlog,
            batches=link["batches_sent"],
            resent=link["batches_resent"],
        )

    @property
    def problem(self) -> str:
        """Why it is not online, as its link says; "" when it is, or nobody knows."""
        return "" if self.line.away else str(self._uplink.status()["problem"])

    @property
    def stands(self) -> str:
        """Where it stands with its model: ``state`` and, where it is wanted, ``name@version``."""
        if self._activation is None:
            return "unmanaged"
        course = next(self._activation.courses)
        found = standing(course, None)
        return f"{found.state} {found.wanted}" if found.wanted else found.state

    def _tick(self, now: float) -> None:
        self._come_and_go(now)
        self._lane.tick(now)
        if not self._ending:
            self._answer(now)
        self._uplink.tick(now)
        if self._activation:
            self._hear_updater(self._activation)
        self._partners.tick(now)
        self._recorder.tick(now)

    def _answer(self, now: float) -> None:
        self._owed += (now - self._counted) * self._common.rate
        self._counted = now
        count, self._owed = int(self._owed), self._owed % 1
        records = self._lane.answer(count, now)
        if records:
            self._recorder.keep(self._lane, records)
            if self._activation:
                self._activation.saw(self._lane.name, records)

    def _come_and_go(self, now: float) -> None:
        """The network goes away, and comes back."""
        if not self._change_at or now < self._change_at or self._ending:
            return
        if self.line.away:
            self.line.away, self._change_at = False, now + self._traits.online_s
        else:
            self.line.leave(now)
            self._change_at = now + self._traits.away_s

    def _hear_updater(self, activation: Activation) -> None:
        for one in list(activation.watched()):
            if one.heard:
                one.heard()
            one.ended()

    def _take_all(self, now: float) -> None:
        """Take in what has happened, and what follows from that."""
        while self._events:
            while self._events:
                event = self._events.popleft()
                self._uplink.take(event, now)
                self._partners.take(event, now)
                if isinstance(event, LinkMessage | Changed):
                    self.hurry()
            self._store.turn(now)


def _ends(why: str) -> None:
    """Nothing ends a simulated agent but who has started it."""
    del why
