"""All accelerators of the board, and which pipeline uses which: the supervisor's one partner in that.

Each tick compares what pipelines want with what there is: it starts and ends the accelerators' processes, and
gives workers connections to them. What serves meanwhile is the worker's own affair: its CPU twin.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, get_args

from agent.accelerator.spec import AcceleratorSpec
from agent.boards.accelerators import Accelerator, Lend
from agent.events import Event, emit
from agent.metrics import number
from agent.processes.watch import Watch, Watched
from agent.recovery.borrower import Borrower, Held, order
from agent.recovery.incidents import Incidents
from agent.recovery.ladder import OPEN, State
from agent.recovery.sharing import Sharing
from agent.recovery.standing import of_accelerator, of_pipeline
from agent.workers import messages

if TYPE_CHECKING:
    import selectors
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from socket import socket

    from agent.clock import Clock
    from agent.recovery.owner import Owner
    from agent.workers.hearing import News
    from agent.workers.lane import Lane
    from agent.workers.record import Record
    from agent.workers.spec import LaneSpec

_RUNTIMES = get_args(AcceleratorSpec.model_fields["runtime"].annotation)
_OVER = {State.OFF, State.RESETTING, State.STUCK}
_GENERATIONS = 64
"""Connections that a worker's late word is still understood of."""


class Accelerators:
    """Owns the accelerators' processes.

    Args:
        known: the profile's, the best first.
        specs: each pipeline as its worker is told of it.
        lanes: one a pipeline, in the same order.
        selector: the loop's.
        clock: where time comes from.
        own: makes what looks after one accelerator.
    """

    def __init__(
        self,
        known: Sequence[Accelerator],
        specs: Sequence[LaneSpec],
        lanes: Sequence[Lane],
        selector: selectors.BaseSelector,
        *,
        clock: Clock,
        own: Callable[[AcceleratorSpec], Owner] | None = None,
    ) -> None:
        self._clock = clock
        self.borrowers: dict[str, Borrower] = {}
        users: dict[str, list[LaneSpec]] = {}
        for spec, lane in zip(specs, lanes, strict=True):
            names = order(spec, known)
            self.borrowers[spec.pipeline] = Borrower(lane, names)
            for name in names:
                users.setdefault(name, []).append(spec)
        self.owners = {
            one.title: (own or _owner)(_spec(one, users[one.title])) for one in known if one.title in users
        }
        self._watches = {name: Watch(selector) for name in self.owners}
        self._sharing = {name: Sharing() for name in self.owners}
        self._generation = 0
        self._held: dict[int, Held] = {}
        self.incidents = Incidents()

    def tick(self, now: float) -> None:
        """Take in what workers said, and do what time calls for."""
        for borrower in self.borrowers.values():
            for news in borrower.lane.take_news():
                self._hear(borrower, news, now)
        for owner in self.owners.values():
            owner.tick(now)
        self.incidents.tick(now)
        self._take_back()
        self._start_and_end(now)
        for borrower in self.borrowers.values():
            self._provide(borrower, now)
        self._watch()

    def _hear(self, borrower: Borrower, news: News, now: float) -> None:
        held = self._held.get(news.generation)
        if held is None:  # so old that nothing can follow from it
            return
        match news:
            case messages.Accelerated():
                held.model, held.since = borrower.model, now
                borrower.met(news.accelerator)
            case messages.Incident():
                self._incident(borrower, held, news, now)
            case messages.Relieved():
                held.model = ""
                if news.reason == "unfit":
                    borrower.avoid(news.accelerator, now)
                    self._let_go(borrower, held)
            case messages.Regained():
                self.incidents.regained(borrower.lane.name, news)
            case messages.Retried():
                emit(
                    Event.ACCELERATOR_RETRIED, news.accelerator, pipeline=borrower.lane.name,
                    problem=news.problem,
                )  # fmt: skip

    def _incident(self, borrower: Borrower, held: Held, news: messages.Incident, now: float) -> None:
        """One that befalls a model which never worked there is its own; any other is the accelerator's.

        What ends the process is the accelerator's in any case. Yet a model that never worked there has to
        wait then, too, where another one works: else each of its tries would bring that one down again.
        """
        owner, accelerated = held.owner, borrower.accelerates(held)
        proven = accelerated or borrower.has_met(news.accelerator)
        held.model, then = "", "twin"
        if proven or news.kind in {"overrun", "died"}:
            if owner.life is not None and owner.life.number == held.life:
                owner.fail(news.kind, news.problem, now)
            then = owner.ladder.next
            if not proven and any(one.has_met(news.accelerator) for one in self.borrowers.values()):
                borrower.avoid(news.accelerator, now)
        else:
            borrower.avoid(news.accelerator, now)
            owner.incidents[news.kind] += 1
        self.incidents.began(borrower.lane.name, news, then, now)
        if news.kind == "garbage" and accelerated:
            self.incidents.suspect(borrower.lane.name, news, held.since, now)
        self._let_go(borrower, held)

    def _let_go(self, borrower: Borrower, held: Held) -> None:
        """Have a worker let go of a connection; where there is no room to say so, its other end is closed."""
        if borrower.held is held:
            borrower.held = None
        if borrower.lane.run is held.run:
            held.run.process.tell({"type": "relieve", "generation": held.loan.generation})

    def _take_back(self) -> None:
        """What goes to a process that is being ended, or belongs to a worker that has ended, is void."""
        for borrower in self.borrowers.values():
            held = borrower.held
            if held is not None and (borrower.lane.run is not held.run or not held.owner.lends(held.life)):
                self._let_go(borrower, held)

    def _start_and_end(self, now: float) -> None:
        wanted = {
            one.name for borrower in self.borrowers.values() for one in borrower.wants(self.owners, now)
        }
        wanted |= {one.held.owner.name for one in self.borrowers.values() if one.held}
        for name, owner in self.owners.items():
            if name not in wanted:
                owner.leave(now)
            elif owner.ladder.startable(now):
                owner.start(now)

    def _provide(self, borrower: Borrower, now: float) -> None:
        run, owner = borrower.run, borrower.needs(self.owners, now)
        if run is None or owner is None or owner.life is None or owner.state not in OPEN:
            return
        if borrower.held is not None and borrower.held.owner is owner:
            return
        if (made := self._connect(owner, borrower.lane.name)) is None:
            return
        loan, end = made
        with end:
            if borrower.lane.lend(loan, end.fileno()):
                held = Held(loan, owner, owner.life.number, run)
                borrower.held = self._held[loan.generation] = held
                while len(self._held) > _GENERATIONS:
                    del self._held[min(self._held)]

    def _connect(self, owner: Owner, pipeline: str) -> tuple[Lend, socket] | None:
        end = owner.connect(pipeline)
        if end is None:
            return None
        self._generation += 1
        one = owner.spec.accelerator
        loan = Lend(
            accelerator=one.title,
            generation=self._generation,
            limits=one.limits,
            recheck_s=one.recheck_s,
        )
        return loan, end

    def lend(self, pipeline: str) -> tuple[Lend, socket] | None:
        """Give a proof a connection to what serves its pipeline, the caller's to pass on and close."""
        borrower = self.borrowers[pipeline]
        if borrower.held is None or not borrower.accelerated:
            return None
        return self._connect(borrower.held.owner, pipeline)

    def saw(self, pipeline: str, records: Iterable[Record]) -> None:
        """Take in what a pipeline's model has answered: what an accelerator is cured by."""
        borrower = self.borrowers[pipeline]
        if borrower.held is not None and borrower.accelerated:
            answers = sum(record.kind != "failed" for record in records)
            borrower.held.owner.ladder.saw(answers)
            self._sharing[borrower.held.owner.name].answered(pipeline, answers)

    def cpu_seconds(self, pipeline: str) -> float:
        """Give the CPU time that a pipeline has had of accelerators' processes, since the start."""
        for name, sharing in self._sharing.items():
            sharing.look(self.owners[name].life)
        return sum(sharing.of(pipeline) for sharing in self._sharing.values())

    def _watch(self) -> None:
        for name, owner in self.owners.items():
            if (life := owner.life) is None:
                self._watches[name].keep(())
                continue
            receive = None if life.closed else partial(self._receive, owner)
            self._watches[name].keep([Watched(life.process, partial(self._reap, owner), receive)])

    def _receive(self, owner: Owner) -> None:
        owner.receive(self._clock.monotonic())

    def _reap(self, owner: Owner) -> None:
        owner.reap(self._clock.monotonic())

    def pids(self) -> set[int]:
        """The process ids of accelerators, and of what resets them."""
        children = [owner.life.process for owner in self.owners.values() if owner.life]
        resets = [owner.resetting.child for owner in self.owners.values() if owner.resetting]
        return {one.pid for one in (*children, *resets) if one is not None}

    def next_tick(self, now: float) -> list[float]:
        """Seconds until ``tick`` wants to be called, of each."""
        return [wait for owner in self.owners.values() if (wait := owner.next_tick(now)) is not None]

    def status(self, now: float) -> list[dict[str, Any]]:
        """Say how each accelerator is."""
        return [
            of_accelerator(owner, self.incidents.blindness[name], now) for name, owner in self.owners.items()
        ]

    def standing(self, pipeline: str) -> dict[str, Any]:
        """Say what a pipeline's frames are inferred by, and whether that stands in for an accelerator."""
        return of_pipeline(self.borrowers[pipeline])

    def numbers(self) -> Iterator[dict[str, Any]]:
        """Give the metrics."""
        for name, owner in self.owners.items():
            yield number("accelerator_up", int(owner.state in OPEN), accelerator=name)
            yield number("accelerator_restarts_total", owner.restarts, accelerator=name)
            blind_s = self.incidents.blindness[name].sum_us / 1e6
            yield number("accelerator_blind_seconds_total", blind_s, accelerator=name)
            for kind, count in sorted(owner.incidents.items()):
                yield number("accelerator_incidents_total", count, accelerator=name, kind=kind)

    @property
    def idle(self) -> bool:
        """Whether no process is left that could end by itself; once no worker runs they are asked to."""
        return all(owner.state in _OVER for owner in self.owners.values())

    def close(self) -> None:
        """The agent ends now: leave no process."""
        for name, owner in self.owners.items():
            self._watches[name].keep(())
            owner.abandon()


def _spec(accelerator: Accelerator, users: Sequence[LaneSpec]) -> AcceleratorSpec:
    """Say what its process is to do, for the pipelines that may use it."""
    runtime = users[0].backend_options.get("runtime")
    return AcceleratorSpec(
        accelerator=accelerator,
        runtime=runtime if runtime in _RUNTIMES else "auto",  # a wrong one is its worker's to refuse
        confine=all(spec.confine for spec in users),
        hidden=users[0].hidden,
    )


def _owner(spec: AcceleratorSpec) -> Owner:
    from agent.recovery.owner import (
        Owner,  # with its process and its ladder: only where a pipeline may use one
    )

    return Owner(spec)
