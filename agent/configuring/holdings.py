"""What a device has of settings: active, wanted, refused; each change is one transaction of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.configuring.layers import (
    ACTIVE,
    CANDIDATE,
    REASON,
    Candidate,
    Layers,
    Pending,
    Verdict,
    active_of,
    pending_of,
)
from agent.configuring.lifecycle import TABLE, Moment, SettingsState
from agent.fsm import Machine
from agent.slots import Change, Note

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Keep = Callable[[Change, Callable[[], None] | None], object]


class Holdings:
    """The rows, as they are or will be once the store has written them.

    Args:
        documents: what the store holds, by name.
        keep: has a change written, and calls back once it is durable.

    Attributes:
        active: what a start of the agent lays over the file.
        candidate: what is wanted instead, on its way.
        verdict: the generation that shall not be tried again, and why.
        failed: the last command whose settings were not taken, and why.
    """

    def __init__(self, documents: Mapping[str, bytes], keep: Keep) -> None:
        pending = pending_of(documents)
        self.active = active_of(documents)
        self.candidate, self.verdict, self.failed = pending.candidate, pending.verdict, pending.failed
        self._keep = keep

    @property
    def state(self) -> SettingsState:
        """Where the settings that are wanted stand."""
        if self.candidate:
            return SettingsState(self.candidate.state)
        if self.verdict:
            return SettingsState(self.verdict.state)
        return SettingsState.IDLE if self.active.bare else SettingsState.ACTIVE

    def refuses(self, generation: int) -> bool:
        """Whether a verdict stands against a generation of desired state."""
        return self.verdict is not None and 0 < generation <= self.verdict.generation

    def begin(self, layers: Layers) -> None:
        """Settings are wanted that are not active."""
        self._fire(Moment.WANTED)
        self.candidate = Candidate(layers=layers)
        self._forget(layers.generation)
        self.write()

    def confirm(self, layers: Layers) -> None:
        """What is wanted says the same as what is active."""
        settled = self.candidate is None and self.verdict is None
        if settled and (layers == self.active or (layers.bare and self.active.bare)):
            self.active = layers
            return
        self._fire(Moment.DROPPED if layers.bare else Moment.MET)
        self.active, self.candidate, self.verdict = layers, None, None
        self.write()

    def expire(self, layers: Layers) -> None:
        """The time of a command's settings among those that are active is over."""
        if self.state is SettingsState.ACTIVE:
            self._fire(Moment.DROPPED if layers.bare else Moment.MET)
        self.active = layers
        self.write()

    def give_up(self) -> None:
        """The candidate is wanted no more, and nothing instead that may be tried."""
        if self.candidate:
            moment = Moment.DROPPED if self.active.bare else Moment.MET
            if self.verdict:
                moment = Moment.REFUSED if self.verdict.state == "rejected" else Moment.FAILED
            self._fire(moment)
            self.candidate = None
            self.write()

    def mark(self, **changes: object) -> None:
        """Change the candidate, and not where it stands."""
        if self.candidate:
            self.candidate = self.candidate.model_copy(update=changes)
            self.write()

    def arm(self, boot: str, then: Callable[[], None]) -> None:
        """The candidate is to be tried; ``then`` is called once it is written that it is."""
        self._fire(Moment.BEGUN)
        if self.candidate:
            self.candidate = self.candidate.model_copy(update={"state": "probation", "risky": boot})
        self.write(then=then)

    def wait(self, **changes: object) -> None:
        """The agent has ended while the candidate was tried: it waits for the next try."""
        self._fire(Moment.BOOT)
        self.mark(state="waiting", risky="", **changes)

    def adopt(self, then: Callable[[], None]) -> None:
        """The candidate has passed: it is active, and ``then`` called, once that is written."""
        self._fire(Moment.PASSED)
        if (candidate := self.candidate) is None:
            return
        layers = candidate.layers
        verdict = self.verdict if self.refuses(layers.generation + 1) else None

        def durable() -> None:
            self.active, self.verdict = layers, verdict
            self.candidate = None if self.candidate is candidate else self.candidate
            then()

        note = Note("settings.activated", self.titled(layers), {"keys": len(layers.values)})
        pending = Pending(verdict=verdict, failed=self.failed)
        self._write(layers, pending, (note,), durable)

    def end(self, moment: Moment, reason: str) -> None:
        """The candidate shall not be tried again: its command's settings, else those of its generation."""
        self._fire(moment)
        if (candidate := self.candidate) is None:
            return
        state = "rejected" if moment is Moment.REFUSED else "rolled_back"
        layers = candidate.layers
        fields = {"state": state, "generation": layers.generation, "reason": reason[:REASON]}
        if self.is_ordered(layers):
            self.failed = Verdict.model_validate(fields | {"order": layers.order})
        else:
            self.verdict = Verdict.model_validate(fields)
        self.candidate = None
        note = Note(f"settings.{state}", self.titled(layers), {"reason": reason[:REASON]})
        self.write(note)

    def unfit(self, reason: str) -> None:
        """What is active does not fit the file that is there now."""
        generation = max(self.active.generation, self.verdict.generation if self.verdict else 0)
        self.verdict = Verdict(state="rejected", generation=generation, reason=reason[:REASON])
        note = Note("settings.rejected", self.titled(self.active), {"reason": reason[:REASON]})
        self.active = Layers()
        self.write(note)

    def pardon(self) -> bool:
        """The file is another one: what was refused may be tried again. Say whether anything was."""
        if self.verdict is None:
            return False
        self.verdict = None
        self.write()
        return True

    def titled(self, layers: Layers) -> str:
        """Name settings by who wants them."""
        return f"command {layers.order}" if self.is_ordered(layers) else f"generation {layers.generation}"

    def is_ordered(self, layers: Layers) -> bool:
        """Whether it is a command that makes the difference to what is active."""
        return layers.temporary is not None and layers.temporary != self.active.temporary

    def write(self, *notes: Note, then: Callable[[], None] | None = None) -> None:
        """Have all of it written."""
        pending = Pending(candidate=self.candidate, verdict=self.verdict, failed=self.failed)
        self._write(self.active, pending, notes, then)

    def _write(
        self, active: Layers, pending: Pending, notes: tuple[Note, ...], then: Callable[[], None] | None
    ) -> None:
        documents = {
            ACTIVE: active.model_dump_json().encode(),
            CANDIDATE: pending.model_dump_json().encode(),
        }
        self._keep(Change(documents=documents, notes=notes), then)

    def _forget(self, generation: int) -> None:
        """A newer generation asks for another try."""
        if self.verdict and generation > self.verdict.generation:
            self.verdict = None

    def _fire(self, moment: Moment) -> None:
        Machine(TABLE, self.state).fire(moment)
