"""One pipeline's way to the model that is wanted of it. Pure: it decides, and is told what happens and when.

It says at any time what the lane shall run (``target``), what a start of its worker runs (``boots``), what is
to be fetched (``asks``) and what is to be proved (``proves``). Two rules hold whatever happens:

- What is not active never boots. A start runs the active model, else the configured one, else none.
- A risky step begins only once the store has written that it is on; a start that finds such a note counts a
  strike, and the third rejects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.activation import retreat
from agent.activation.holdings import REASON, Holdings, named, titled
from agent.activation.lifecycle import ModelState, Moment
from agent.activation.step import Step
from agent.activation.trial import Answers, Trial
from agent.documents.desired import Probation
from agent.errors import AgentError, BundleRefused, ConfigInvalid, Rejected, Retryable
from agent.events import Event, emit
from agent.slots import Note

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.activation.goal import Goal, Setting
    from agent.slots import Change, Kept, SlotRow
    from agent.workers.record import Record

MOST_STRIKES = 3


class Course:
    """Decides for one pipeline.

    Args:
        pipeline: its name.
        kept: what the store holds.
        keep: has a change written, and gives the token that ``changed`` is told once it is durable.
        setting: what does not change while the agent runs.
        now: seconds of the monotonic clock.
    """

    def __init__(
        self, pipeline: str, kept: Kept, keep: Callable[[Change], int], setting: Setting, now: float
    ) -> None:
        self.pipeline = pipeline
        self.held = Holdings(pipeline, kept, keep)
        self._setting = setting
        self.goal: Goal | None = None
        self._since = self._retry_at = now
        self.overdue = False
        self._step = Step()
        self._limit_ms: float | None = None
        self._before = Answers()
        self.progress: tuple[int, int] | None = None
        self.problem = ""
        self._boot(now)

    @property
    def boots(self) -> str | None:
        """What a start of the worker runs: a bundle's digest, "" for the configured model, None for none."""
        if self.held.active:
            return self.held.active.bundle
        return "" if self._setting.configured else None

    @property
    def target(self) -> str | None:
        """What the lane shall run now: as ``boots``, or the candidate while it is on trial."""
        return self.held.candidate.bundle if self.held.candidate and self.on_trial else self.boots

    @property
    def on_trial(self) -> bool:
        """Whether the candidate may serve."""
        return self.held.state is ModelState.PROBATION and self._step.armed

    @property
    def asks(self) -> Goal | None:
        """What is to be fetched."""
        return self.goal if self.held.state is ModelState.DOWNLOADING else None

    @property
    def proves(self) -> str:
        """The bundle that is to be proved now, or ""."""
        row = self.held.candidate
        return row.bundle if row and self._step.armed and self.held.state is ModelState.PROVING else ""

    def want(self, goal: Goal | None, now: float) -> None:
        """Take in what the operator wants; what was wanted before is given up unless it serves already."""
        if goal is None or goal != self.goal:
            self.goal, self._since, self.overdue = goal, now, False
            self._reconsider(now)

    def fetched(self, name: str, version: str, bundle: str, now: float) -> None:
        """A bundle is on disk, whole and proved."""
        if self._fetches(name, version):
            self.progress, self.problem = None, ""
            self._move(Moment.FETCHED, bundle=bundle, reason="")
            self.tick(now)

    def unfetched(self, name: str, version: str, error: AgentError) -> None:
        """A bundle could not be fetched; only what is refused for good ends the attempt."""
        if self._fetches(name, version) and isinstance(error, BundleRefused):
            self._end(Moment.REFUSED, str(error))
        elif self._fetches(name, version):
            self.problem = str(error)

    def came(self, name: str, version: str, done: int, total: int) -> None:
        """So many bytes of a bundle are there, of so many."""
        if self._fetches(name, version):
            self.progress, self.problem = (done, total), ""

    def proved(self, bundle: str, limit_ms: float | None) -> None:
        """The bundle has passed its proof; ``limit_ms`` is the p95 that it has promised, if any."""
        row = self.held.candidate
        if row and bundle and self.proves == bundle:
            self._limit_ms = limit_ms
            self._arm(Moment.PROVED, Note("model.proved", self.pipeline, named(row)))

    def unproved(self, bundle: str, error: AgentError, now: float) -> None:
        """The proof has failed: the bundle is refused, the process has died, or nobody could tell."""
        if not bundle or self.proves != bundle:
            return
        if isinstance(error, Retryable):
            self._retry_at = now + self._setting.retry_s
            self._move(Moment.DIED, risky="", reason=str(error)[:REASON])
        else:
            self._blame(Moment.REFUSED, error, now)

    def begun(self, now: float) -> None:
        """The lane was told to take the candidate."""
        if self.on_trial:
            self._step.begin(now)

    def running(self, bundle: str, now: float) -> None:
        """The lane runs this model."""
        row = self.held.candidate
        if row and self.on_trial and self._step.trial is None and bundle == row.bundle:
            self.begun(now)
            self._step.trial = Trial(self._limit_ms, now)
            emit(Event.MODEL_ON_TRIAL, self.pipeline, model=titled(row))

    def unswapped(self, error: AgentError, now: float) -> None:
        """The lane could not take the candidate, and goes on with what it has."""
        if self.on_trial and not self._step.passing:
            self._blame(Moment.FAILED, error, now)

    def died(self, reason: str, now: float) -> None:
        """The lane's worker has died, or hung until it was killed."""
        if self.on_trial and self._step.begun and not self._step.passing:
            self._strike(f"the worker died: {reason}", now)

    def saw(self, records: Sequence[Record]) -> None:
        """Take in what the model that serves has answered."""
        (self._step.trial or self._before).saw(records)

    def changed(self, token: int, now: float) -> None:
        """The change with this token is durable."""
        if token and token == self._step.passing:  # the store's own changes have token 0
            self._rest()
            row = self.held.adopt()
            emit(Event.MODEL_ACTIVATED, self.pipeline, model=titled(row), bundle=row.bundle[:12])
            self._reconsider(now)
        else:
            self._step.written(token)

    def tick(self, now: float) -> None:
        """Do what time calls for."""
        row = self.held.candidate
        if row is None or self._step.passing:
            return
        if self.goal and not self.overdue and now - self._since >= self.goal.deadline_s:
            self.overdue = True
            emit(Event.MODEL_OVERDUE, self.pipeline, model=titled(row), state=row.state)
        if self.held.state is ModelState.VERIFIED and now >= self._retry_at:
            if refusal := self._setting.judge(row):
                self._end(Moment.REFUSED, str(refusal))
            elif self.boots is None or not (waits := self._setting.waits()):
                self._arm(Moment.PROVE)
            else:
                self.problem = waits
        elif self._step.trial:
            self._weigh(self._step.trial, row, now)

    def missed(self) -> None:
        """The candidate's files are damaged or gone: fetch them again."""
        if self.held.state in {ModelState.VERIFIED, ModelState.PROVING}:
            self._move(Moment.MISSED, bundle="", risky="", reason="its files were damaged")

    def lost(self, reason: str, now: float) -> None:
        """The active model's files are damaged or gone: fall back, and fetch it again."""
        if self.held.active and not self._step.passing:
            retreat.lost(self.held, reason)
            self._reconsider(now)

    def rollback(self, now: float) -> None:
        """Go back by hand: from a trial, else to the previous model, else to the configured one.

        Raises:
            Rejected: there is nothing to go back to.
        """
        if self.on_trial and not self._step.passing:
            self._end(Moment.FAILED, retreat.BY_HAND)
            return
        if self._step.passing or not (self.held.previous or self._setting.configured):
            raise retreat.nowhere(self.pipeline)
        retreat.by_hand(self.held, self.goal.generation if self.goal else 0)
        self._reconsider(now)

    def leave(self) -> None:
        """The agent ends in good order: what was on was no risk."""
        if self.held.candidate and self.held.candidate.risky and not self._step.passing:
            self.held.mark(risky="")

    def _boot(self, now: float) -> None:
        if (row := self.held.candidate) is None:
            return
        if row.risky:
            why = "the agent died" if row.risky == self._setting.boot else "the device rebooted"
            self._strike(f"{why} while it was {row.state}", now, Moment.BOOT)
        else:
            self.held.move(Moment.BOOT)

    def _reconsider(self, now: float) -> None:
        """Compare what is wanted with what there is; while a model takes over, ``changed`` does it later."""
        if self._step.passing:
            return
        goal, held = self.goal, self.held
        if goal is None:
            self._give_up()
        elif goal.met_by(held.active):
            self._give_up()
            held.confirm(goal.generation)
        elif held.verdict(goal):
            self._give_up()
        elif not goal.met_by(held.candidate):
            self._give_up()
            self._retry_at = now
            held.begin(goal)
        elif held.candidate and held.candidate.generation != goal.generation:
            held.mark(generation=goal.generation)

    def _weigh(self, trial: Trial, row: SlotRow, now: float) -> None:
        terms = self.goal.probation if self.goal else Probation()
        if problem := trial.problem(terms):
            self._end(Moment.FAILED, f"probation: {problem}")
        elif trial.passed(terms, now):
            told = {**self._before.told("before"), **trial.answers.told("after"), "p95_ms": trial.p95_ms}
            self._step.passing = self.held.activate({**told, "frames": trial.good, "failed": trial.failed})
        elif row.risky and now >= self._step.risky_until:
            self.held.mark(risky="")

    def _blame(self, moment: Moment, error: AgentError, now: float) -> None:
        """What is wrong with the model itself is final; what a process did may have been chance."""
        if isinstance(error, Rejected | ConfigInvalid):
            self._end(moment, str(error))
        else:
            self._strike(str(error), now)

    def _strike(self, reason: str, now: float, moment: Moment = Moment.DIED) -> None:
        strikes = 0
        if row := self.held.candidate:
            strikes = row.strikes + 1
            emit(Event.MODEL_STRUCK, self.pipeline, model=titled(row), strikes=strikes, problem=reason)
        if strikes >= MOST_STRIKES:
            self._end(Moment.REFUSED, f"strikes: {strikes}, the last because {reason}")
        else:
            self._move(moment, strikes=strikes, risky="", reason=reason[:REASON])
            self._retry_at = now + self._setting.retry_s * 2 ** (strikes - 1)

    def _arm(self, moment: Moment, note: Note | None = None) -> None:
        """Begin a risky step once it is written that it is on."""
        self._step.awaited = self._move(moment, note, risky=self._setting.boot)

    def _move(self, moment: Moment, note: Note | None = None, **changes: str | int) -> int:
        self._rest()
        return self.held.move(moment, note, **changes)

    def _end(self, moment: Moment, reason: str) -> None:
        self._rest()
        self.held.end(moment, reason)

    def _give_up(self) -> None:
        self._rest()
        self.held.give_up()

    def _rest(self) -> None:
        """Nothing is on any more."""
        if self._step.trial:
            self._before = Answers()
        self._step = Step()
        self.progress, self.problem = None, ""

    def _fetches(self, name: str, version: str) -> bool:
        row = self.held.candidate
        return self.asks is not None and row is not None and (row.name, row.version) == (name, version)
