"""The gate: takes messages off the command topics; each is confirmed when it is durable, or refused."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from agent.allowance import Allowance
from agent.commands import registry
from agent.commands.seams import Answer, Order
from agent.dispatch import admission
from agent.dispatch.admission import Proved, Refused
from agent.errors import AgentError
from agent.events import Event, emit
from agent.refusals import Refusals
from agent.slots import Change

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.clerk import Clerk
    from agent.clock import Clock
    from agent.commands.seams import Reach
    from agent.dispatch.inbox import Inbox
    from agent.dispatch.outcomes import Outcomes
    from agent.dispatch.rules import Rules
    from agent.dispatch.telling import Telling
    from agent.documents.command import Command
    from agent.link.settings import LinkMessage
    from agent.slots import CommandRow

_UNSETTLED, _QUEUED, _PATIENCE_S = 12, 64, 2.0
"""Commands that wait for the disk without a confirmation; messages that wait behind them; and how long. A
broker may send 20 before we confirm one, and acknowledgements come on the same link: where the disk takes
longer, further ones are refused."""
_UNPROVEN, _UNPROVEN_S = 64, 0.1
_TAKEN, _TAKEN_S = 120, 30.0
"""Of each key so many at once, then one in so many seconds: each is written down, and whoever has stolen one
could flush the audit log, and wear the disk. Who may sign little shall not keep others' commands out."""
_MOST_KEYS = 64
"""More than a document of keys has, and those before it."""
_BARE, _BARE_S = 4, 15.0
_AGAIN, _AGAIN_S = 16, 15.0
"""Outcomes that are told once more: they may have 96 KiB, and a broker that plays a command back should not
have a device pay for the link."""
_MOST_PROBLEM = 300
_ANSWERS, _ANSWERS_S = 64, 1.0
"""Refusals that are answered; all are counted."""


class Gate:
    """Decides about what comes from the broker.

    Args:
        rules: what holds.
        inbox: where commands are kept.
        clerk: has that written.
        telling: answers.
        outcomes: makes the answers.
        reach: what bare commands can reach.
        settle: confirms a message to the broker.
        again: somebody asks for a settled command's outcome.
        held: why a command that was taken is not begun yet, "" where nothing holds it.
        clock: where time comes from.

    Attributes:
        shut: why nothing is taken at all, "" while it is.
        leaving: the agent is ending: what comes now is looked at after the next start.
    """

    def __init__(
        self,
        *,
        rules: Rules,
        inbox: Inbox,
        clerk: Clerk,
        telling: Telling,
        outcomes: Outcomes,
        reach: Reach,
        settle: Callable[[LinkMessage], None],
        again: Callable[[CommandRow], None],
        held: Callable[[CommandRow], str],
        clock: Clock,
    ) -> None:
        self._rules, self._inbox, self._clerk, self._telling = rules, inbox, clerk, telling
        self._outcomes, self._reach, self._settle, self._again = outcomes, reach, settle, again
        self._held, self._clock = held, clock
        self._queue: deque[tuple[LinkMessage, float]] = deque()
        self._pending: dict[str, LinkMessage] = {}
        self._unproven = Allowance(_UNPROVEN, _UNPROVEN_S)
        self._taken: dict[str, Allowance] = {}
        self._bare_ones = Allowance(_BARE, _BARE_S)
        self._repeats = Allowance(_AGAIN, _AGAIN_S)
        self._answers = Allowance(_ANSWERS, _ANSWERS_S)
        self._refusals = Refusals()
        self.shut = ""
        self.leaving = False

    def offer(self, message: LinkMessage, now: float) -> None:
        """Take a message. It is confirmed at once, unless it waits until its command is durable."""
        if len(self._queue) >= _QUEUED:
            emit(Event.MESSAGE_REFUSED, "commands", refusal="flood", problem="too many at once")
            self._settle(message)
            return
        self._queue.append((message, now))
        self.tick(now)

    def tick(self, now: float) -> None:
        """Look at what waits for its turn."""
        while self._queue and not self.leaving:
            message, since = self._queue[0]
            if len(self._pending) >= _UNSETTLED and now - since < _PATIENCE_S:
                return
            self._queue.popleft()
            if self._decided(message, now):
                self._settle(message)

    def lost(self) -> None:
        """The link is lost: what was not confirmed comes again."""
        self._queue.clear()

    def _decided(self, message: LinkMessage, now: float) -> bool:
        """As ``_decide``; what we stumble over goes, or the broker would send it after each start."""
        try:
            return self._decide(message, now)
        except Exception as error:  # noqa: BLE001 - named boundary: no message may end the agent again and again
            problem = f"a fault of the agent's own: {error!r}"[:_MOST_PROBLEM]
            emit(Event.COMMAND_REFUSED, "command", refusal="format", problem=problem)
            self._pending = {name: one for name, one in self._pending.items() if one is not message}
            return True

    def _decide(self, message: LinkMessage, now: float) -> bool:
        """Look at a message; say whether it may be confirmed now."""
        if not self._unproven.open(now):
            emit(Event.MESSAGE_REFUSED, "commands", refusal="flood", problem="too many that nobody signed")
            return True
        terms = self._rules.terms(self._inbox.floors)
        found = admission.read(message.payload, terms)
        if isinstance(found, Refused):
            return self._refuse(found, now)
        if not found.key:
            return self._bare(found.command, now)
        if (row := self._inbox.get(found.command.id)) is not None:
            return self._known(row, found, message, now)
        if (refused := admission.judge(found, terms) or self._room(found, now)) is not None:
            return self._refuse(refused, now)
        self._take(found, message)
        return False

    def _room(self, one: Proved, now: float) -> Refused | None:
        """Say why there is no room for another command, where there is none."""
        why = self.shut
        full = self._inbox.full or self._inbox.crowded(one.key)
        if full or self._clerk.busy or len(self._pending) >= _UNSETTLED:
            why = "so many commands wait already, or the disk refuses them"
        elif not self._allowance(one.key).open(now):
            why = "too many commands of its key came within a short time"
        return Refused("busy", f"{why}. Send it again later", one.command) if why else None

    def _allowance(self, key: str) -> Allowance:
        if key not in self._taken and len(self._taken) >= _MOST_KEYS:
            self._taken.clear()
        return self._taken.setdefault(key, Allowance(_TAKEN, _TAKEN_S))

    def _take(self, one: Proved, message: LinkMessage) -> None:
        command = one.command
        self._allowance(one.key).spend()
        self._pending[command.id] = message
        change = self._inbox.take(command, one.key, self._clock.wall_ns())
        self._clerk.keep(change, lambda: self._durable(command))

    def _durable(self, command: Command) -> None:
        emit(Event.COMMAND_TAKEN, command.op, id=command.id, audience=command.audience)
        self._settle(self._pending.pop(command.id))
        row = self._inbox.get(command.id)
        if row is not None and not registry.find(command.op).quick:
            self._accepted(row)

    def _known(self, row: CommandRow, one: Proved, message: LinkMessage, now: float) -> bool:
        """Answer one that came before, once more; another one under its id is refused."""
        if row.body != one.command.model_dump_json().encode():
            return self._refuse(Refused("replayed", "its id was another command's", one.command), now)
        if (first := self._pending.get(row.id)) is not None:
            if first.receipt[0] == message.receipt[0]:
                return True  # the first one stands for it
            self._pending[row.id] = message  # on a new connection nothing else does
            return False
        if not self._repeats.open(now):
            emit(Event.COMMAND_REFUSED, row.op, refusal="flood", problem="it comes again and again")
            return True
        self._repeats.spend()
        if row.outcome:
            self._again(row)
        else:
            self._accepted(row)
        return True

    def _accepted(self, row: CommandRow) -> None:
        self._telling.say(self._outcomes.accepted(row.id, row.op, self._held(row)))

    def _refuse(self, one: Refused, now: float) -> bool:
        """Count a refusal, write it down unless too many are, and answer one that somebody vouches for."""
        command = one.command
        subject = command.op if command else "command"
        emit(Event.COMMAND_REFUSED, subject, refusal=one.refusal, problem=one.reason)
        if not self._clerk.busy:
            note = self._refusals.note("command.refused", subject, f"{one.refusal}: {one.reason}", now)
            if note is not None:
                self._clerk.keep(Change(notes=(note,)))
        if command is None:
            self._unproven.spend()
        elif self._answers.open(now):
            self._answers.spend()
            self._telling.say(self._outcomes.refused(command.id, command.op, one.refusal, one.reason))
        return True

    def _bare(self, command: Command, now: float) -> bool:
        """Answer what anybody may ask; nothing of it is kept."""
        self._unproven.spend()
        if not self._bare_ones.open(now):
            emit(Event.COMMAND_REFUSED, command.op, refusal="flood", problem="too many came bare")
            return True
        self._bare_ones.spend()
        try:
            args = admission.arguments(command)
            answer = registry.find(command.op).run(args, Order(command.id), self._reach)
        except AgentError as error:
            self._telling.say(self._outcomes.failed(command.id, command.op, str(error)))
            return True
        if isinstance(answer, Answer):
            self._telling.say(self._outcomes.done(command.id, command.op, answer.result))
        return True
