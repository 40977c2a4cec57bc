"""The supervisor: one loop that waits, takes in what happened, and decides.

Threads and signal handlers only post to its mailbox; ``turn`` does the rest and never blocks. It wires the
lanes (worker processes), the store (the thread that writes results) and the link (the broker's thread); none
of these knows the others.
"""

from __future__ import annotations

import math
import selectors
import signal
from functools import partial
from typing import TYPE_CHECKING, Any

from agent.activation import answers
from agent.clock import SystemClock
from agent.errors import EXIT_CONFIG, EXIT_OK, AgentError
from agent.events import Event, emit
from agent.feeding.feeds import Feeds
from agent.governor.governor import Governor
from agent.processes.watch import Watch
from agent.recovery.accelerators import Accelerators
from agent.store.reports import Buffered, Committed
from agent.supervision.control import ControlServer
from agent.supervision.crew import Crew
from agent.supervision.health import Lookout, Notifier, earned, in_words
from agent.supervision.owners import Owners
from agent.supervision.partners import Offer, Partners, alone, offered
from agent.supervision.recorder import Recorder
from agent.supervision.signals import StopAsked, signals_to
from agent.supervision.stage import Stage
from agent.supervision.status import report
from agent.supervision.telemetry import Telemetry
from agent.supervision.tunings import OPS, Tunings
from agent.uplink.way_up import uplink
from agent.workers.lane import Lane
from agent.workers.policy import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agent.clock import Clock
    from agent.plan import Plan
    from agent.store.thread import Store
    from agent.supervision.mailbox import Mailbox
    from agent.workers.messages import Fault
    from agent.workers.record import Record

_LONGEST_WAIT_S = 0.5
_STATUS = {"op": "status"}
_OVER = {State.STOPPED, State.ENDED, State.FATAL, State.STUCK}


class Supervisor:
    """Runs a plan.

    Args:
        plan: what to run.
        store: started; the caller closes it.
        mailbox: where the store's thread posts; the caller closes it.
        explain: makes a worker's fault an error, with file and line where it is the configuration's.
        intact: whether the data folder is still the one that was opened.
        partners: makes those who decide about models and commands.
        exit_when_ended: stop when all sources are over.
        clock: where time comes from.

    Attributes:
        again: whether it has ended to begin anew in the same process.
    """

    def __init__(
        self,
        plan: Plan,
        store: Store,
        mailbox: Mailbox,
        *,
        explain: Callable[[str, Fault], AgentError],
        intact: Callable[[], bool],
        partners: Callable[[Offer], Partners] = alone,
        exit_when_ended: bool = False,
        clock: Clock | None = None,
    ) -> None:
        self._plan = plan
        self._store = store
        self._mailbox = mailbox
        self._exit_when_ended = exit_when_ended
        self._clock = clock or SystemClock()
        self._selector = selectors.DefaultSelector()
        self._selector.register(mailbox, selectors.EVENT_READ)
        self._notifier = Notifier()
        self._uplink = uplink(plan, store, mailbox.post)
        self._tunings = Tunings(plan, store)
        lanes = [
            Lane(spec, plan.deadlines, spawn=self._tunings.started, explain=partial(explain, spec.pipeline))
            for spec in plan.lanes
        ]
        self._telemetry = Telemetry(store, self._clock, plan.settings.metrics.interval_s)
        self._recorder = Recorder(self._telemetry.passage, lanes, self._clock, plan.urgent, plan.alerting)
        known = plan.profile.delegates
        self._accelerators = Accelerators(known, plan.lanes, lanes, self._selector, clock=self._clock)
        self._feeds = Feeds(plan.feeds, lanes, self._selector, plan.deadlines, clock=self._clock)
        self._owners = Owners(self._accelerators, self._feeds)
        self._partners = partners(
            offered(lanes, self._uplink, status=self._status, end=self._end, again=self._again)
        )
        self._models = self._partners.models
        if self._models:
            self._models.proving.lend = self._accelerators.lend
        self._processes = Watch(self._selector)
        self._crew = Crew(lanes, self._selector, store, self._recorder, clock=self._clock, saw=self._saw)
        self._seats = self._crew.seats
        self._governor = Governor(
            plan,
            self._seats,
            record=lambda alert: self._telemetry.passage.put([alert], {}, "alert"),
            totals=lambda: (self._uplink.sent_bytes if self._uplink else 0, store.flash().written),
            on_trial=lambda name: self._models is not None and self._models.on_trial(name),
            shared=self._owners.cpu_seconds,
        )
        self._telemetry.others.append(self._governor.numbers)
        self._lookout = Lookout(store, self._uplink, plan.data, intact)
        self._stage = Stage.RUNNING
        self._give_up_at = math.inf
        self._started = self._clock.monotonic()
        self.again = False
        self._control = ControlServer(plan.control, self._selector, self._answer, self._pids, self._clock)

    def run(self) -> int:
        """Run until a signal, the end of all sources or nothing is left that can run; give the exit code."""
        restore = signals_to(self._mailbox)
        emit(Event.AGENT_STARTED, self._plan.device, profile=self._plan.profile.name)
        try:
            if self._uplink:
                self._uplink.start()
            for seat in self._seats:
                if self._models is None or self._models.boots(seat.lane.name):
                    seat.lane.start(self._clock.monotonic())
            self._watch()
            self._notifier.ready(f"{len(self._seats)} pipelines")
            while self._stage is not Stage.DONE:
                ready = [key.data for key, _ in self._selector.select(self._wait_s()) if key.data]
                self.turn(self._clock.monotonic(), ready, self._mailbox.take())
        finally:
            self._close()
            restore()
            self._mailbox.close()  # after the last signal that could be posted
        emit(Event.AGENT_STOPPED, self._plan.device)
        return EXIT_CONFIG if all(seat.lane.refused for seat in self._seats) else EXIT_OK

    def turn(self, now: float, ready: Iterable[Callable[[], None]], posted: Iterable[object]) -> None:
        """Take in what happened and decide, once.

        Args:
            now: seconds of the monotonic clock.
            ready: handlers of the descriptors that became readable.
            posted: events from threads and signal handlers.
        """
        for handle in ready:
            handle()
        for event in posted:
            if isinstance(event, StopAsked):
                self._stop(now, event.name)
                continue
            self._telemetry.take(event, now)
            if self._uplink:
                self._uplink.take(event, now)
            self._partners.take(event, now)
            if isinstance(event, Committed | Buffered):
                self._crew.resume()
        self._crew.tick(now)
        self._partners.tick(now)
        self._owners.tick(now)
        self._watch()
        self._recorder.tick(now)
        if self._stage is Stage.RUNNING:
            self._governor.tick(now)
            self._telemetry.tick(now, self._seats, self._uplink, self._models, self._accelerators)
        if self._uplink:
            self._uplink.tick(now)
        self._control.tick(now)
        self._advance(now)
        self._lookout.look(now)
        self._notifier.alive(now, earned=earned(self._store, self._uplink, now))
        states = [seat.lane.state for seat in self._seats]
        self._notifier.tell(
            now, lambda: in_words(states, self._store, self._uplink, self._telemetry.store_problem)
        )

    def _stop(self, now: float, why: str, *, again: bool = False) -> None:
        if self.again:  # it was to begin anew, and now it is to end
            self.again = False
            self._partners.stop()
            return
        if self._stage is not Stage.RUNNING:  # asked twice: leave at once
            self._give_up_at = now
            for seat in self._seats:
                if seat.lane.run is not None:
                    seat.lane.run.process.signal(signal.SIGKILL)
            return
        self._stage, self.again = Stage.STOPPING_LANES, again
        emit(Event.AGENT_STOPPING, self._plan.device, why=why)
        if again:
            self._notifier.reloading()
        else:
            self._notifier.stopping(self._plan.settings.shutdown_drain_s)
        self._partners.stop()
        for seat in self._seats:
            seat.lane.stop(now)

    def _end(self, why: str) -> None:
        self._stop(self._clock.monotonic(), why)

    def _again(self, why: str) -> None:
        if self._stage is Stage.RUNNING:
            self._stop(self._clock.monotonic(), why, again=True)

    def _advance(self, now: float) -> None:
        """Move on through the stages of the end."""
        if self._stage is Stage.RUNNING:
            states = {seat.lane.state for seat in self._seats}
            if states == {State.FATAL} and self._models is None:  # else a deployment may mend it
                self._stop(now, "no pipeline can run")
            elif self._exit_when_ended and states <= {State.ENDED, State.FATAL}:
                self._stop(now, "every source has ended")
        ended = all(seat.lane.state in _OVER for seat in self._seats)
        ended = ended and (self._owners.idle or now >= self._give_up_at)
        if self._stage is Stage.STOPPING_LANES and ended and self._partners.idle:
            self._stage = Stage.DELIVERING
            self._give_up_at = min(self._give_up_at, now + self._plan.settings.shutdown_drain_s)
        if self._stage is Stage.DELIVERING:
            committed = self._store.urgent <= 0
            offline = self.again or self._uplink is None or not self._uplink.online
            delivered = offline or self._store.status().backlog == 0
            if (committed and delivered) or now >= self._give_up_at:
                self._stage = Stage.DONE

    def _watch(self) -> None:
        """Keep the selector in step with all processes."""
        self._crew.watch()
        self._processes.keep(self._partners.watched())

    def _saw(self, pipeline: str, records: list[Record]) -> None:
        self._accelerators.saw(pipeline, records)
        if self._models:
            self._models.saw(pipeline, records)

    def _pids(self) -> set[int]:
        """Those whose word on the local socket is refused."""
        return self._crew.pids() | self._owners.pids() | self._partners.pids()

    def _wait_s(self) -> float:
        now = self._clock.monotonic()
        waits = [w for seat in self._seats if (w := seat.lane.next_tick(now)) is not None]
        waits += self._owners.next_tick(now)
        if self._uplink:
            waits.append(self._uplink.due(now))
        waits += self._partners.waits(now)
        return min([*waits, _LONGEST_WAIT_S])

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Reply to a request on the control socket."""
        if request.get("op") in answers.OPS:
            return answers.answer(request, self._models)
        if request.get("op") in OPS:
            return self._tunings.answer(request)
        if answer := self._partners.answers.get(str(request.get("op"))):
            return answer(request)
        return self._status(request)

    def _status(self, request: dict[str, Any] = _STATUS) -> dict[str, Any]:
        return report(
            request,
            plan=self._plan,
            uptime_s=self._clock.monotonic() - self._started,
            now=self._clock.monotonic(),
            pipelines=[(seat.lane, seat.meter) for seat in self._seats],
            store=self._store.status(),
            store_problem=self._telemetry.store_problem,
            latency=self._telemetry.latency(self._clock.monotonic()),
            flash=self._store.flash(),
            uplink=self._uplink,
            standings=answers.standings(self._models),
            governor=self._governor,
            accelerators=self._accelerators,
            feeds=self._feeds,
            more=self._partners.status(),
        )

    def _close(self) -> None:
        """Free what this object made; no worker is left."""
        self._control.close()
        if self._uplink:
            self._uplink.close()
        self._crew.close()
        self._owners.close()
        self._processes.keep(())
        self._partners.close()
        self._selector.close()
