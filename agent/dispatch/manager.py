"""Commands: the supervisor's partner that takes them, does each once, and tells once what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.clerk import Clerk, Store
from agent.commands import registry
from agent.commands.seams import Answer
from agent.dispatch.gate import Gate
from agent.dispatch.inbox import Inbox
from agent.dispatch.life import MOST_CRASHES, Stand, Turn
from agent.dispatch.local import Local
from agent.dispatch.outcomes import Outcomes
from agent.dispatch.running import Running
from agent.dispatch.telling import Telling
from agent.dispatch.turns import Turns
from agent.documents.base import parse
from agent.documents.outcome import Outcome
from agent.errors import AgentError, Forbidden, MessageInvalid
from agent.events import Event, emit
from agent.link import topics
from agent.link.settings import LinkDown, LinkMessage
from agent.slots import Kept, Note
from agent.store.reports import Changed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agent.clock import Clock
    from agent.commands.seams import Reach
    from agent.dispatch.rules import Rules
    from agent.dispatch.seams import Shipping
    from agent.processes.watch import Watched
    from agent.slots import CommandRow
    from agent.supervision.partners import Offer
    from agent.trust.signing import Signer

_WORK_S, _IDLE_S = 0.1, 1.0


class Dispatch:
    """Owns the inbox and what runs of it.

    Args:
        rules: what holds for commands.
        groups: those that this device belongs to.
        kept: what the store held at the start; None where that could not be read: then nothing is taken.
        store: writes changes; started.
        clock: where time comes from.
        reach: what commands can reach.
        offer: the supervisor's.
        signer: the device's key; None where nothing is signed.
        shipping: sends the files beside outcomes, if anybody does.
        waits: why what disturbs has to wait for the maintenance window, "" when it has not to.

    Attributes:
        answers: who answers which requests on the local socket.
    """

    def __init__(
        self,
        *,
        rules: Rules,
        groups: Sequence[str],
        kept: Kept | None,
        store: Store,
        clock: Clock,
        reach: Reach,
        offer: Offer,
        signer: Signer | None,
        shipping: Shipping | None = None,
        waits: Callable[[], str] = str,
    ) -> None:
        fleet, device = rules.fleet, rules.device
        self._clock, self._shipping = clock, shipping
        self._turns = Turns(rules, waits)
        self._topics = topics.commands(fleet, device, groups)
        known = kept or Kept()
        self._clerk = Clerk(store, known.audit)
        self._inbox = Inbox(known, clock.boot)
        self._outcomes = Outcomes(fleet, device, clock)
        self._telling = Telling(offer.publish, topics.up_res(fleet, device), signer, self._told)
        self._running = Running(reach, self._ended)
        self._gate = Gate(
            rules=rules,
            inbox=self._inbox,
            clerk=self._clerk,
            telling=self._telling,
            outcomes=self._outcomes,
            reach=reach,
            settle=offer.settle,
            again=self._again,
            held=self._turns.held,
            clock=clock,
        )
        self._local = Local(
            fleet,
            device,
            inbox=self._inbox,
            clerk=self._clerk,
            outcome=self._durable_outcome,
            held=self._turns.held,
            clock=clock,
        )
        self.answers: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
            "command": self._local.command,
            "outcome": self._local.outcome,
        }
        self._writing: set[str] = set()
        self._long = ""
        self._ahead: dict[str, str] = {}
        self._stopping = self._left = False
        if kept is None:
            why = "what is kept of commands could not be read at the start"
            self._gate.shut = self._local.shut = why
        self._recover()

    @property
    def held(self) -> list[dict[str, str]]:
        """The commands that wait for the maintenance window, as the local socket tells them."""
        rows = self._inbox.standing(Stand.WAITING)
        return [{"id": row.id, "op": row.op, "waits": why} for row in rows if (why := self._turns.held(row))]

    def take(self, event: object, now: float) -> None:
        """Take in an event of the store or the link; others are ignored."""
        match event:
            case Changed(token=token, audit=audit):
                self._clerk.durable(token, audit)
            case LinkMessage(topic=topic) if topic in self._topics:
                self._gate.offer(event, now)
            case LinkDown():
                self._gate.lost()
        self._telling.take(event)

    def tick(self, now: float) -> None:
        """Go on with what runs, begin what is next, tell what is settled."""
        self._clerk.tick(now)
        if self._stopping:
            self._leave()
        else:
            self._running.tick(now)
            self._begin(now)
        self._gate.tick(now)
        self._telling.tick()

    def next_tick(self, now: float) -> float:
        """Seconds until ``tick`` wants to be called."""
        del now
        return _WORK_S if self._running.busy else _IDLE_S

    def watched(self) -> Iterator[Watched]:
        """Give the processes of what runs, and who hears of them."""
        yield from self._running.watched()

    def pids(self) -> set[int]:
        """None: what commands run are programs of our own, which ask on the local socket as people do."""
        return set()

    def stop(self) -> None:
        """The agent ends in good order. What runs may be what ends it: it is left in the next turn."""
        self._stopping = self._gate.leaving = True
        self._local.shut = "the agent is ending"

    @property
    def idle(self) -> bool:
        """Whether what ran is left, to go on at the next start."""
        return self._left

    def close(self) -> None:
        """The agent ends now."""
        self._running.stop()

    def _recover(self) -> None:
        """After a start: what ran when the agent died is begun again, or given up; outcomes are told."""
        for row in self._inbox.untold():
            self._tell(row)
        given_up, change = self._inbox.died()
        for row in given_up:
            problem = f"the agent died {MOST_CRASHES} times while it ran: it is not tried again"
            self._settle(
                row, Turn.GIVE_UP, self._outcomes.failed(row.id, row.op, problem, refusal="quarantined")
            )
        if change is not None:
            self._clerk.keep(change)

    def _begin(self, now: float) -> None:
        """Begin what waits: one that takes long at a time, in order."""
        for row in self._inbox.standing(Stand.WAITING):
            if self._clerk.busy:
                return
            quick = row.op in registry.OPS and registry.find(row.op).quick
            if self._long and not quick:
                continue
            if (stale := self._turns.stale(row)) is not None:
                self._settle(row, Turn.REFUSE, self._outcomes.refused(row.id, row.op, *stale))
                continue
            if self._turns.held(row):
                continue
            self._long = self._long if quick else row.id
            self._begin_one(row, now)

    def _begin_one(self, row: CommandRow, now: float) -> None:
        self._ahead[row.id] = row.boot

        def run() -> None:
            begun = self._inbox.get(row.id)
            if begun is not None and not self._stopping:
                self._running.run(begun, self._ahead.pop(row.id), now)

        self._clerk.keep(self._inbox.begin(row), run)

    def _ended(self, identity: str, what: Answer | AgentError) -> None:
        """A command is over: keep what became of it, then tell it."""
        self._long = "" if self._long == identity else self._long
        row = self._inbox.get(identity)
        if row is None:
            raise RuntimeError(f"{identity} has ended, and is not known")
        self._settle(row, Turn.END, self._outcome_of(row, what))

    def _outcome_of(self, row: CommandRow, what: Answer | AgentError) -> Outcome:
        if isinstance(what, Forbidden):
            return self._outcomes.refused(row.id, row.op, "local", str(what))
        if not isinstance(what, Answer):
            return self._outcomes.failed(row.id, row.op, str(what))
        result = dict(what.result)
        if not (self._shipping and row.key):
            if what.files:
                result["files"] = [str(path) for path in what.files]
            return self._outcomes.done(row.id, row.op, result, ())
        try:
            files = self._shipping.take_in(row.id, what.files)
        except AgentError as error:
            return self._outcomes.failed(row.id, row.op, str(error))
        return self._outcomes.done(row.id, row.op, result, files)

    def _settle(self, row: CommandRow, turn: Turn, outcome: Outcome) -> None:
        detail = {"id": row.id, "state": outcome.state, "reason": outcome.reason}
        note = Note("command.settled", row.op, detail)
        self._writing.add(row.id)
        change = self._inbox.settle(row, turn, outcome.model_dump_json().encode(), note)
        self._clerk.keep(change, lambda: self._settled(row, outcome))
        for gone in self._inbox.unheard():
            self._telling.forget(gone.id)
            emit(Event.COMMAND_UNHEARD, gone.op, id=gone.id)

    def _settled(self, row: CommandRow, outcome: Outcome) -> None:
        """What became of a command is durable: tell it."""
        self._writing.discard(row.id)
        if outcome.state == "refused":
            emit(Event.COMMAND_REFUSED, row.op, refusal=outcome.refusal, problem=outcome.reason)
        elif outcome.state == "failed":
            emit(Event.COMMAND_FAILED, row.op, id=row.id, problem=outcome.reason)
        else:
            emit(Event.COMMAND_DONE, row.op, id=row.id)
        if row.key:
            self._telling.tell(outcome)

    def _told(self, identity: str) -> None:
        if (row := self._inbox.get(identity)) is not None and not row.told:
            self._clerk.keep(self._inbox.told(row))

    def _again(self, row: CommandRow) -> None:
        """Tell a settled command's outcome once more; while it is being written, that comes by itself."""
        if row.id in self._writing:
            return
        outcome = self._tell(row)
        if self._shipping and outcome:
            self._shipping.again(row.id, outcome.files)

    def _tell(self, row: CommandRow) -> Outcome | None:
        try:
            outcome = parse(Outcome, row.outcome, "outcome")
        except MessageInvalid as error:  # of another release: nobody could read it
            emit(Event.MESSAGE_REFUSED, f"outcome {row.id}", problem=error)
            return None
        self._telling.tell(outcome)
        return outcome

    def _durable_outcome(self, row: CommandRow) -> bytes | None:
        return None if row.id in self._writing else row.outcome or None

    def _leave(self) -> None:
        """Leave what runs, to go on at the next start."""
        if self._left:
            return
        self._left = True
        self._running.stop()
        for row in self._inbox.standing(Stand.RUNNING):
            self._clerk.keep(self._inbox.leave(row, self._ahead.get(row.id, row.boot)))
