"""The supervisor's partner in matters of the configuration: puts wanted settings in force, reads it anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

from agent.clerk import Clerk, Store
from agent.configuring.board import BoardFacts
from agent.configuring.course import Course
from agent.configuring.layers import Layers, Temporary
from agent.configuring.probation import Probation
from agent.configuring.start import Before, File, Start
from agent.configuring.work import Reloading, Settling
from agent.documents import desired as documents
from agent.errors import AgentError
from agent.events import Event, emit
from agent.store.reports import Changed
from agent.supervision.partners import QuietPartner
from agent.supervision.signals import ReloadAsked
from agent.workers.policy import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.clock import Clock
    from agent.commands.seams import Order, Work
    from agent.documents.desired import Desired
    from agent.maintenance import Maintenance
    from agent.plan import Plan
    from agent.slots import Kept
    from agent.supervision.partners import Offer

F = TypeVar("F", bound=File)
_PATIENCE_S = 60.0
"""For so long a life's pipelines may take to come up before what ran is taken down for new settings."""
_UNSETTLED = {State.STARTING, State.BACKOFF, State.RENEWING, State.KILLING}


class Configuring(QuietPartner, Generic[F]):
    """Owns the course of settings.

    Args:
        file: in force, without anything over it.
        back: the one before, where this one was read anew.
        read: reads it anew.
        plan: what this life runs.
        start: how it has begun.
        running: what lies over the file in it.
        unfit: why what is active could not be laid over the file, or "".
        kept: what the store held at the start.
        store: writes changes; started.
        offer: what the supervisor has for partners.
        clock: where time comes from.
        maintenance: says when what disturbs may be done.
        again: told with which file, and how, the next life begins.
        busy: whether somebody tries something else just now.
    """

    def __init__(
        self,
        *,
        file: F,
        back: F | None = None,
        read: Callable[[], F],
        plan: Plan,
        start: Start,
        running: Layers,
        unfit: str,
        kept: Kept,
        store: Store,
        offer: Offer,
        clock: Clock,
        maintenance: Maintenance,
        again: Callable[[F, Start], None],
        busy: Callable[[], bool] = lambda: False,
    ) -> None:
        now = clock.monotonic()
        self._file, self._back, self._read, self._plan, self._start = file, back, read, plan, start
        self._offer, self._clock, self._again, self._busy = offer, clock, again, busy
        self._clerk = Clerk(store, kept.audit)
        self._began, self._stopping, self._going = now, False, False
        self._waiting: str | None = None
        self._refused = ""
        self._terms = documents.Probation()
        self._maintenance = maintenance
        self._board = BoardFacts(plan, offer.lanes)
        self.course = Course(
            kept.documents,
            self._clerk.keep,
            boot=clock.boot,
            now=now,
            running=running,
            trial=start.trial,
            failed=start.failed,
            unfit=unfit,
        )
        self._probation = Probation(offer.lanes, start.before, now) if start.before else None
        if start.anew:
            self.course.pardon(now)
        if start.refused:
            emit(Event.SETTINGS_REFUSED, "reload", problem=start.refused)

    def want(self, desired: Desired | None) -> None:
        """Take in the desired state in force."""
        if desired is None:
            return
        self._terms = desired.probation
        now = self._clock.monotonic()
        self.course.desire(desired.generation, desired.overrides, desired.deadline_s, now)

    def told(self) -> dict[str, Any]:
        """Give its part of the reported state."""
        return {
            "settings": self.course.standing(),
            "maintenance": self._maintenance.word,
            "groups": self._plan.settings.device.groups,
            "board": self._board.told(self._clock.monotonic()),
        }

    def take(self, event: object, now: float) -> None:
        """Take in an event of the store, or a signal; others are ignored."""
        del now
        if isinstance(event, Changed):
            self._clerk.durable(event.token, event.audit)
        elif isinstance(event, ReloadAsked) and not self._stopping:
            self._waiting = ""

    def tick(self, now: float) -> None:
        """Do what time calls for, and what has become possible."""
        self._clerk.tick(now)
        if self._stopping:
            return
        course = self.course
        course.tick(now)
        if self._probation:
            self._weigh(self._probation, now)
        if course.due(now) and self._may_begin(now):
            self._begin(now)
        if (layers := course.target) is not None:
            self._steer(layers)
        elif self._waiting is not None and not self._probation:
            self._reload(self._waiting)

    def next_tick(self, now: float) -> float:
        """Seconds until ``tick`` wants to be called."""
        del now
        return 0.1 if self.course.on_trial else 1.0

    def stop(self) -> None:
        """The agent ends in good order; for the sake of settings it is a part of their probation."""
        if not self._going:
            self.course.leave()
        self._stopping, self._going = True, False

    def reload(self, order: Order) -> Work:
        """Read the file again, and begin anew with it, when no probation is on; see ``Configuration``.

        Raises:
            ConfigInvalid: it does not hold.
        """
        if self._start.order == order.id or order.attempts > 1:  # a new process has read it, too
            refused = self._start.refused if self._start.order == order.id else ""
            return Reloading(lambda: not self._probation, lambda: refused)
        self._read_well()
        self._waiting, self._refused = order.id, ""
        return Reloading(lambda: False, lambda: self._refused)

    def override(self, values: Mapping[str, Any], *, seconds: float, order: Order) -> Work:
        """Lay settings over those of the file, for so long; 0 until the next ones. No values take them away.

        Raises:
            ConfigInvalid: a key is unknown or not the operator's to set, or the whole does not hold.
        """
        if order.id not in {self.course.wanted.order, self.course.last_failed}:
            now = self._clock.monotonic()
            until = now + seconds if seconds else 0.0
            asked = Temporary(order=order.id, values=dict(values), boot=self._clock.boot, until=until)
            self._check(self.course.wanted.model_copy(update={"temporary": asked}))
            self.course.order(asked, now)
        return Settling(self.course, order.id)

    def _may_begin(self, now: float) -> bool:
        settled = all(lane.state not in _UNSETTLED for lane in self._offer.lanes)
        if not settled and now - self._began < _PATIENCE_S:
            return False
        free = not (self._busy() or (self._probation and self._start.anew))
        return free and (self.course.hasty or self._maintenance.open is True)

    def _begin(self, now: float) -> None:
        candidate = self.course.held.candidate
        if candidate is None:
            return
        try:
            self._check(candidate.layers)
        except AgentError as error:
            self.course.refused(str(error), now)
        else:
            self.course.begin()

    def _check(self, layers: Layers) -> None:
        self._file.under(layers.values).plan()

    def _weigh(self, probation: Probation, now: float) -> None:
        """Look whether all is as it was, and go on, or back."""
        seconds, online = self._terms.seconds, self._offer.online()
        if problem := probation.problem(seconds, now):
            self._probation = None
            self.course.failed(problem, now)
            if self._start.anew and self._back is not None:
                self._go(self._back, Start(refused=problem, order=self._start.order), "way back")
        elif probation.passed(seconds, now, online=online):
            self._probation = None
            self.course.passed(now)

    def _steer(self, layers: Layers) -> None:
        """Begin anew, for the candidate's sake or back to what is active."""
        trial = self.course.armed
        before = self._before() if trial else None
        start = Start(layers=layers, before=before, trial=trial, order=layers.order)
        self._go(self._file, start, "settings")

    def _before(self) -> Before:
        """What runs now; in a life that only just tried something else, what ran before that."""
        if self.course.tried and self._start.before:
            return self._start.before
        lanes = frozenset(lane.name for lane in self._offer.lanes if lane.state is State.RUNNING)
        return Before(lanes, self._offer.online())

    def _reload(self, order: str) -> None:
        self._waiting = None
        try:
            file = self._read_well()
        except AgentError as error:
            self._refused = str(error)
            emit(Event.SETTINGS_REFUSED, "reload", problem=error)
        else:
            self._go(file, Start(before=self._before(), anew=True, order=order), "reload")

    def _read_well(self) -> F:
        file = self._read()
        file.under(self.course.running.values).plan()
        return file

    def _go(self, file: F, start: Start, why: str) -> None:
        self._going = self.course.armed
        emit(Event.AGENT_RELOADING, self._plan.device, why=why)
        self._again(file, start)
        self._offer.again(why)
