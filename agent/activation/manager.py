"""Brings all pipelines to what the operator wants: the supervisor's one partner in matters of models."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from agent.activation.approval import Approval
from agent.activation.course import Course
from agent.activation.errand import asked, errand
from agent.activation.fetching import Fetching
from agent.activation.files import make_room
from agent.activation.freshness import Freshness
from agent.activation.goal import Setting, goals
from agent.activation.lifecycle import ModelState
from agent.activation.mail import Mail
from agent.activation.mending import mend
from agent.activation.proving import Proving
from agent.activation.reporting import Reporter
from agent.activation.standing import serving_now, standing
from agent.activation.steering import Steering
from agent.activation.way_back import WayBack
from agent.clerk import Clerk, Store
from agent.documents import hint
from agent.errors import BundleRefused, Rejected
from agent.events import Event, emit
from agent.link import topics
from agent.link.settings import LinkMessage, LinkUp
from agent.maintenance import Maintenance
from agent.metrics import number
from agent.processes.message import error_of
from agent.processes.watch import Watched
from agent.store.reports import Changed
from agent.updater import messages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agent.activation.seams import Lane
    from agent.activation.site import Site
    from agent.clock import Clock
    from agent.documents.desired import Desired
    from agent.documents.keys import ControlKeys
    from agent.documents.reported import Reported
    from agent.errors import AgentError
    from agent.slots import Kept
    from agent.workers.record import Record

_LEAVE_S = 10.0
"""How long the end waits for processes that were killed."""


class Activation:
    """Owns what decides about models, and the processes that fetch and prove them.

    Args:
        site: whose models, from where, for which pipelines.
        kept: what the store held at the start.
        lanes: one a pipeline, in the order of ``site.specs``.
        store: writes changes; started.
        clock: where time comes from.
        publish: sends a message, retained or not; gives None where the link has not taken it.
    """

    def __init__(
        self,
        site: Site,
        kept: Kept,
        lanes: Sequence[Lane],
        store: Store,
        *,
        clock: Clock,
        publish: Callable[[str, bytes, bool], int | None],
    ) -> None:
        make_room(site.bundles)
        now = clock.monotonic()
        self._site, self._clock = site, clock
        self._topics = topics.down_desired(site.fleet, site.device), topics.tuf_hint(site.fleet)
        self._clerk = Clerk(store, kept.audit)
        self._mail = Mail(
            site.fleet, site.device, kept, self._clerk, clock, news=self._in_force, lacks=self._lacks_keys
        )
        self._desk = self._mail.desk
        self._approval = Approval(site.bundles, site.pipelines)
        self._approval.policy = self._desk.policy
        self.freshness = Freshness(kept)
        self.maintenance = Maintenance(clock)
        self._hearers: list[Callable[[Desired | None], None]] = []
        self._stopping, self._leave_by = False, math.inf
        self.steerings: dict[str, Steering] = {}
        for spec, lane in zip(site.specs, lanes, strict=True):
            setting = Setting(
                bool(spec.model), clock.boot, self._approval.judge, waits=lambda: self.maintenance.waits
            )
            course = Course(spec.pipeline, kept, self._clerk.keep, setting, now)
            mend(course, site.bundles, now)
            self.steerings[spec.pipeline] = Steering(
                lane, course, spec.model, site.bundles, resident=site.resident
            )
        self.back = WayBack(self.steerings, self._clerk, kept, clock)
        self.proving = Proving(site.specs, self._task, site.bundles, site.deadlines, site.prove)
        self._fetching = Fetching(self._errand, self._hear, site.table.refresh_h * 3600, site.fetch)
        self._reporter = Reporter(site.fleet, site.device, site.signer, clock, publish)
        self._asks: tuple[messages.Ask, ...] = ()
        self._want(now)

    @property
    def courses(self) -> Iterator[Course]:
        """Each pipeline's."""
        return (steering.course for steering in self.steerings.values())

    def take(self, event: object, now: float) -> None:
        """Take in an event of the store or the link; others are ignored."""
        match event:
            case Changed(token=token, audit=audit):
                self._clerk.durable(token, audit)
                for course in self.courses:
                    course.changed(token, now)
            case LinkUp():
                self._reporter.again()
            case LinkMessage(topic=topic, payload=payload) if topic == self._topics[0]:
                self._mail.offer(payload)
            case LinkMessage(topic=topic, payload=payload) if topic == self._topics[1]:
                if (news := hint.decode(payload)) is not None:
                    self._fetching.hint(now, (news.root, news.timestamp))

    def tick(self, now: float) -> None:
        """Do what time calls for, and what has become possible."""
        self._clerk.tick(now)
        self.proving.tick(self.courses, now)
        if self._site.broker or self._site.table.mirror:  # else nothing can ever come
            self._fetching.tick(now)
        if self._stopping:
            return
        self._mail.tick()
        for steering in self.steerings.values():
            steering.course.tick(now)
            steering.tick(now)
        asks = asked(self.courses)
        if set(asks) - set(self._asks):
            self._fetching.urge(now)
        self._asks = asks
        self._reporter.tick(now, self.reported)

    def boots(self, pipeline: str) -> bool:
        """Whether there is a model to start a pipeline with; those without one wait for their first."""
        return self.steerings[pipeline].course.boots is not None

    def pids(self) -> set[int]:
        """The process ids of those that fetch and prove."""
        proof, child = self.proving.proof, self._fetching.child
        return {one.pid for one in (proof.process if proof else None, child) if one}

    def next_tick(self, now: float) -> float:
        """Seconds until ``tick`` wants to be called."""
        waits = (self.proving.next_tick(now), self._fetching.next_tick(now))
        return min([one for one in waits if one is not None], default=1.0)

    def on_trial(self, pipeline: str) -> bool:
        """Whether a pipeline tries a new model."""
        return self.steerings[pipeline].course.on_trial

    def saw(self, pipeline: str, records: Sequence[Record]) -> None:
        """Take in what a pipeline's model has answered."""
        steering = self.steerings[pipeline]
        steering.course.saw(records)
        good = sum(record.kind != "failed" for record in records)
        ready = steering.lane.ready
        if good and ready:
            self._approval.count(pipeline, good, steering.running, ready.delegate)

    def watched(self) -> Iterator[Watched]:
        """Give the processes, and who hears of them."""
        proof, child = self.proving.proof, self._fetching.child
        if proof and proof.process:
            heard = None if proof.silent else self.proving.receive
            yield Watched(proof.process, lambda: self.proving.reap(self._clock.monotonic()), heard)
        if child:
            receive = self._receive if self._fetching.watched else None
            yield Watched(child, lambda: self._fetching.reap(self._clock.monotonic()), receive)

    def _receive(self) -> None:
        self._fetching.receive(self._clock.monotonic())

    @property
    def keys(self) -> ControlKeys | None:
        """Who may sign desired states and commands."""
        return self._desk.keys

    @property
    def busy(self) -> bool:
        """Whether a new model is proved or tried just now."""
        trying = {ModelState.PROVING, ModelState.PROBATION}
        return any(course.held.state in trying for course in self.courses)

    def hears(self, hear: Callable[[Desired | None], None], told: Callable[[], dict[str, Any]]) -> None:
        """Tell somebody else, with more to report, of the desired state in force, now and at each change."""
        self._hearers.append(hear)
        self._reporter.more = told
        hear(self._desk.desired)

    def reported(self) -> Reported:
        """What there is to report."""
        return self._reporter.report(
            self._desk.generation,
            {
                name: standing(steering.course, serving_now(steering.lane))
                for name, steering in self.steerings.items()
            },
            self.freshness.metadata.model_copy(update={"problem": self._fetching.problem[:500]}),
            self._clerk.audit,
            self._desk.problem,
        )

    def numbers(self, pipeline: str) -> Iterator[dict[str, Any]]:
        """Give the metrics of a pipeline's models."""
        steering = self.steerings[pipeline]
        state = standing(steering.course, None).state
        yield number("model_state", 1, state=state)
        yield number("model_swaps_total", steering.swaps)
        yield number("model_rollbacks_total", steering.course.held.rollbacks)
        yield from self._approval.numbers(pipeline)

    def stop(self) -> None:
        """The agent ends in good order."""
        self._stopping, self._leave_by = True, self._clock.monotonic() + _LEAVE_S
        for course in self.courses:
            course.leave()
        self.proving.stop()
        self._fetching.stop()

    @property
    def idle(self) -> bool:
        """Whether no process is left, or one that is stuck is waited for no longer."""
        if self._clock.monotonic() >= self._leave_by:
            return True
        return self.proving.proof is None and self._fetching.child is None

    def close(self) -> None:
        """The agent ends now."""
        self.proving.abandon()
        self._fetching.abandon()

    def _want(self, now: float) -> None:
        desired = self._desk.desired
        self.maintenance.set(desired.maintenance if desired else None)
        for hear in self._hearers:
            hear(desired)
        wanted = goals(desired) if desired else {}
        for course in self.courses:
            course.want(wanted.get(course.pipeline), now)

    def _hear(self, message: messages.FromUpdater) -> None:
        """Take in what the updater says."""
        now = self._clock.monotonic()
        match message:
            case messages.Refreshed():
                if change := self.freshness.refreshed(message, self._site.fleet):
                    self._clerk.keep(change)  # before what follows from it: changes are written in order
            case messages.Brought(name=name, body=body):
                self._mail.brought(name, body)
            case messages.Withdrawn(digests=digests):
                self._approval.withdraw(digests)
                self._align()
            case messages.Progress():
                for course in self.courses:
                    course.came(message.name, message.version, message.done, message.total)
            case messages.Fetched():
                for course in self.courses:
                    course.fetched(message.name, message.version, message.digest, now)
            case messages.Failed():
                self._failed(message.name, message.version, error_of(message))

    def _failed(self, name: str, version: str, error: AgentError) -> None:
        if isinstance(error, Rejected) and not isinstance(error, BundleRefused):  # a verdict tells of that
            self._mail.refused("metadata.refused", error.subject, error)
        for course in self.courses:
            course.unfetched(name, version, error)

    def _in_force(self) -> None:
        """Something else is in force: compare all with it."""
        self._want(self._clock.monotonic())
        self._approval.policy = self._desk.policy
        self._align()

    def _align(self) -> None:
        """Tell of models that serve and may not, as of today; they go on."""
        for course in self.courses:
            if course.held.active and (refusal := self._approval.judge(course.held.active)):
                emit(Event.MODEL_MISALIGNED, course.pipeline, problem=refusal)

    def _lacks_keys(self) -> None:
        self._fetching.hint(self._clock.monotonic())

    def _errand(self) -> messages.UpdaterSpec:
        return errand(self._site, self.courses, self.freshness.floors, self._desk.policy_text)

    def _task(self, pipeline: str) -> str:
        ready = self.steerings[pipeline].lane.ready
        return ready.task if ready else ""
