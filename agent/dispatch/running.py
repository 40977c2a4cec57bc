"""Runs commands: one that takes long at a time, and those that answer at once beside it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from agent.commands import registry
from agent.commands.seams import Answer, Order
from agent.documents.base import parse, read
from agent.documents.command import Command
from agent.errors import AgentError, Retryable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from agent.commands.seams import Reach, Work
    from agent.processes.watch import Watched
    from agent.slots import CommandRow


@dataclass(frozen=True, slots=True)
class _Job:
    identity: str
    work: Work
    by: float
    deadline_s: float


class Running:
    """Carries out what is begun.

    Args:
        reach: what commands can reach.
        ended: called with a command's id, and what came of it.
    """

    def __init__(self, reach: Reach, ended: Callable[[str, Answer | AgentError], None]) -> None:
        self._reach, self._ended = reach, ended
        self._job: _Job | None = None

    def run(self, row: CommandRow, before: str, now: float) -> None:
        """Do a command, or begin it.

        Args:
            row: the command; that it is begun is durable.
            before: the kernel's boot id when it was begun before this, "" at first.
            now: seconds of the monotonic clock.
        """
        order = Order(row.id, local=not row.key, attempts=row.attempts, boot=before)
        try:
            verb = registry.find(row.op)
            given = read(Command, row.body, "command").args
            args = parse(verb.args, orjson.dumps(given), f"arguments of {row.op}")
            made = (verb.resume if before else verb.run)(args, order, self._reach)
        except AgentError as error:
            self._ended(row.id, error)
            return
        if isinstance(made, Answer):
            self._ended(row.id, made)
        elif self._job is not None:
            raise RuntimeError(f"{row.op} is declared as quick, and takes long")
        else:
            self._job = _Job(row.id, made, now + verb.deadline_s, verb.deadline_s)

    @property
    def busy(self) -> bool:
        """Whether one is under way."""
        return self._job is not None

    def tick(self, now: float) -> None:
        """Look after the one that is under way."""
        if (job := self._job) is None:
            return
        try:
            answer = job.work.tick(now)
            if answer is None and now >= job.by:
                problem = f"it was not over after {job.deadline_s:.0f} s, and was ended"
                raise Retryable("do command", job.identity, problem)
        except AgentError as error:
            self._job = None
            job.work.stop()
            self._ended(job.identity, error)
        else:
            if answer is not None:
                self._job = None
                self._ended(job.identity, answer)

    def watched(self) -> Iterable[Watched]:
        """Give its processes, and who hears of them."""
        return self._job.work.watched() if self._job else ()

    def stop(self) -> None:
        """The agent ends: leave nothing behind. Idempotent."""
        if self._job is not None:
            self._job.work.stop()
            self._job = None
