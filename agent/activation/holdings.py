"""The slots and verdicts of one pipeline: each change to them goes to the store as one transaction."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from agent.activation.lifecycle import TABLE, ModelState, Moment
from agent.documents.reported import Serving
from agent.events import Event, emit
from agent.fsm import Machine
from agent.slots import Change, Kept, Note, SlotRow, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from agent.activation.goal import Goal

REASON = 500
"""Characters of a reason that are kept."""
_STATES = {one.value for one in ModelState}


class Holdings:
    """What a pipeline has, as it is or will be once the store has written it.

    Args:
        pipeline: its name.
        kept: what the store holds.
        keep: has a change written, and gives its token.

    Attributes:
        rollbacks: how often a model that had served was taken back, since the start.
    """

    def __init__(self, pipeline: str, kept: Kept, keep: Callable[[Change], int]) -> None:
        rows = {row.slot: row for row in kept.slots if row.pipeline == pipeline}
        self.pipeline = pipeline
        self.active, self.previous = rows.get("active"), rows.get("previous")
        self.candidate = rows.get("candidate")
        self.verdicts = {one.bundle: one for one in kept.verdicts if one.pipeline == pipeline}
        self.rollbacks = 0
        self._keep = keep
        self._next: tuple[SlotRow, SlotRow | None] | None = None

    @property
    def state(self) -> ModelState | None:
        """Where the candidate stands; None when there is none."""
        row = self.candidate
        if row is None:
            return None
        return ModelState(row.state) if row.state in _STATES else ModelState.DOWNLOADING

    @property
    def rows(self) -> tuple[SlotRow, ...]:
        """The slots that hold something."""
        return tuple(row for row in (self.active, self.previous, self.candidate) if row is not None)

    def verdict(self, goal: Goal) -> Verdict | None:
        """Give the verdict that stands against what is wanted."""
        return next((one for one in self.verdicts.values() if goal.judged_by(one)), None)

    def begin(self, goal: Goal) -> None:
        """Make a candidate of what is wanted; the previous model's bundle is here already."""
        here = self.previous if goal.met_by(self.previous) else None
        self.candidate = SlotRow(
            self.pipeline,
            "candidate",
            here.bundle if here else "",
            goal.name,
            goal.version,
            (ModelState.VERIFIED if here else ModelState.DOWNLOADING).value,
            goal.generation,
        )
        note = Note("model.wanted", self.pipeline, {**named(self.candidate), "generation": goal.generation})
        self._keep(Change(put=(self.candidate,), notes=(note,)))

    def move(self, moment: Moment, note: Note | None = None, **changes: Any) -> int:
        """Move the candidate by the table; give the token of the change."""
        row, state = self._fired(moment)
        self.candidate = replace(row, state=state.value, **changes)
        return self._keep(Change(put=(self.candidate,), notes=(note,) if note else ()))

    def mark(self, **changes: Any) -> int:
        """Change the candidate where it stands."""
        if self.candidate is None:
            raise RuntimeError("there is no candidate")
        self.candidate = replace(self.candidate, **changes)
        return self._keep(Change(put=(self.candidate,)))

    def end(self, moment: Moment, reason: str) -> None:
        """Pass a verdict on the candidate: it is out."""
        row, state = self._fired(moment)
        verdict = verdict_on(row, state, reason)
        self.verdicts[row.bundle] = verdict
        self.candidate = None
        detail = {**named(row), "reason": verdict.reason}
        note = Note(f"model.{state.value}", self.pipeline, detail)
        self._keep(Change(drop=((self.pipeline, "candidate"),), verdicts=(verdict,), notes=(note,)))
        self.rollbacks += state is ModelState.ROLLED_BACK
        event = Event.MODEL_REJECTED if state is ModelState.REJECTED else Event.MODEL_ROLLED_BACK
        emit(event, self.pipeline, model=titled(row), why=verdict.reason)

    def give_up(self) -> None:
        """Drop the candidate: something else is wanted by now."""
        if self.candidate is None:
            return
        note = Note("model.superseded", self.pipeline, named(self.candidate))
        self.candidate = None
        self._keep(Change(drop=((self.pipeline, "candidate"),), notes=(note,)))

    def activate(self, told: dict[str, Any]) -> int:
        """Have the candidate written as the active model; ``adopt`` follows once that is durable."""
        row, state = self._fired(Moment.PASSED)
        active = replace(row, slot="active", state=state.value, strikes=0, risky="", reason="")
        previous = None
        if self.active is not None and self.active.bundle != row.bundle:
            before = Machine(TABLE, ModelState.ACTIVE).fire(Moment.REPLACED)
            previous = replace(self.active, slot="previous", state=before.value)
        self._next = active, previous
        return self._keep(
            Change(
                put=(active, previous) if previous else (active,),
                drop=((self.pipeline, "candidate"),),
                forget=((self.pipeline, row.bundle),) if row.bundle in self.verdicts else (),
                notes=(Note("model.activated", self.pipeline, {**named(row), **told}),),
            )
        )

    def adopt(self) -> SlotRow:
        """What was activated is durable: it is the active model."""
        if self._next is None:
            raise RuntimeError("nothing was activated")
        active, previous = self._next
        self.active, self.candidate, self._next = active, None, None
        self.previous = previous or self.previous
        self.verdicts.pop(active.bundle, None)
        return active

    def fall_back(self, note: Note, verdict: Verdict | None = None) -> None:
        """Take the active model out: the previous one becomes it, or the slot is left empty."""
        if verdict is not None:
            self.verdicts[verdict.bundle] = verdict
            self.rollbacks += 1
        restored = None
        if self.previous is not None:
            state = Machine(TABLE, ModelState.PREVIOUS).fire(Moment.RESTORED)
            restored = replace(self.previous, slot="active", state=state.value)
        self.active, self.previous = restored, None
        self._keep(
            Change(
                put=(restored,) if restored else (),
                drop=((self.pipeline, "previous"),)
                if restored
                else ((self.pipeline, "active"), (self.pipeline, "previous")),
                verdicts=(verdict,) if verdict else (),
                notes=(note,),
            )
        )

    def confirm(self, generation: int) -> None:
        """The active model is what a newer desired state wants, too."""
        if self.active is not None and self.active.generation != generation:
            self.active = replace(self.active, generation=generation)
            self._keep(Change(put=(self.active,)))

    def _fired(self, moment: Moment) -> tuple[SlotRow, ModelState]:
        if self.candidate is None or self.state is None:
            raise RuntimeError("there is no candidate")
        return self.candidate, Machine(TABLE, self.state).fire(moment)


def verdict_on(row: SlotRow, state: ModelState, reason: str) -> Verdict:
    """Make a verdict of a row."""
    return Verdict(
        row.pipeline, row.bundle, row.name, row.version, state.value, reason[:REASON], row.generation
    )


def serving(row: SlotRow) -> Serving:
    """A row, as reports name it."""
    return Serving(name=row.name, version=row.version, bundle=row.bundle)


def named(row: SlotRow) -> dict[str, str]:
    """A row, as the audit log names it."""
    return {"model": titled(row), "bundle": row.bundle}


def titled(row: SlotRow) -> str:
    """``name@version``."""
    return f"{row.name}@{row.version}"
