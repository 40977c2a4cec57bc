"""The device's way to the settings that are wanted of it. Pure: it is told what happens and when.

It says at any time with which settings the agent shall begin anew (``target``). Two rules hold whatever
happens:

- What is not active never boots. Only a life of the agent that begins for its sake has a candidate.
- That begins only once the store has written that it does; a start that finds such a note counts a strike,
  and the third rejects.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from agent.configuring.holdings import Holdings
from agent.configuring.layers import Layers
from agent.configuring.lifecycle import Moment, SettingsState
from agent.documents.reported import SettingsStanding
from agent.events import Event, emit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agent.configuring.holdings import Keep
    from agent.configuring.layers import Temporary

MOST_STRIKES = 3
_RETRY_S = 20.0
_SHOWN = 256


class Course:
    """Decides.

    Args:
        documents: what the store holds, by name.
        keep: has a change written, and calls back once it is durable.
        boot: the kernel's boot id.
        now: seconds of the monotonic clock.
        running: what lies over the file in this life of the agent.
        trial: whether this life has begun for the candidate's sake.
        failed: why a life with the candidate could not begin, or "".
        unfit: why what is active does not fit the file, or "".
        retry_s: seconds until the next try after a first strike; each further one doubles it.

    Attributes:
        running: what lies over the file in this life of the agent.
        wanted: what shall lie over it.
        overdue: whether that has taken longer than it may.
        tried: whether this life has begun for the sake of settings that have not passed.
    """

    def __init__(
        self,
        documents: Mapping[str, bytes],
        keep: Keep,
        *,
        boot: str,
        now: float,
        running: Layers,
        trial: bool = False,
        failed: str = "",
        unfit: str = "",
        retry_s: float = _RETRY_S,
    ) -> None:
        self.held = Holdings(documents, keep)
        self.running = running
        self._boot, self._retry_s = boot, retry_s
        self._since = self._retry_at = now
        self._deadline_s = math.inf
        self.overdue = False
        self._armed = self._passing = False
        self._attempt: object | None = None
        if unfit:
            self.held.unfit(unfit)
            self.running = Layers()
        self._expire(now)
        candidate = self.held.candidate
        self._trial = self.tried = trial and candidate is not None and candidate.state == "probation"
        if candidate and candidate.state == "probation" and not self._trial:
            self._begun_before(failed, now)
        candidate = self.held.candidate
        if self._trial:
            emit(Event.SETTINGS_ON_TRIAL, self._title)
        self.wanted = candidate.layers if candidate else self.held.active

    @property
    def target(self) -> Layers | None:
        """With what the agent shall begin anew; None while it runs what it shall."""
        if self._passing or (self.on_trial and not self._armed):
            return None
        if self._armed and self.held.candidate:
            return self.held.candidate.layers
        active = self.held.active
        return active if active.values != self.running.values else None

    @property
    def on_trial(self) -> bool:
        """Whether this life tries the candidate."""
        return self._trial and self.held.state is SettingsState.PROBATION

    @property
    def armed(self) -> bool:
        """Whether the next life of the agent is for the candidate's sake."""
        return self._armed

    @property
    def last_failed(self) -> str:
        """The id of the last command whose settings were not taken; "" for none."""
        return self.held.failed.order if self.held.failed else ""

    @property
    def last_problem(self) -> str:
        """Why they were not."""
        return self.held.failed.reason if self.held.failed else ""

    @property
    def may(self) -> bool:
        """Whether a candidate waits that is to be tried as soon as it may be."""
        return self.held.state is SettingsState.WAITING

    @property
    def hasty(self) -> bool:
        """Whether the candidate is a command's doing, or the end of it: that waits for no window."""
        candidate = self.held.candidate
        return candidate is not None and candidate.layers.desired == self.held.active.desired

    def desire(self, generation: int, values: Mapping[str, Any], deadline_s: float, now: float) -> None:
        """Take in what the operator's desired state says."""
        temporary = self.wanted.temporary
        before = max(self.wanted.generation, self.held.verdict.generation if self.held.verdict else 0)
        if temporary and not temporary.until and generation > before:
            temporary = None
        self._deadline_s = deadline_s
        self._want(Layers(generation=generation, desired=dict(values), temporary=temporary), now)

    def order(self, temporary: Temporary, now: float) -> None:
        """Take in a command's settings; they replace those of another one."""
        self._want(self.wanted.model_copy(update={"temporary": temporary}), now)

    def pardon(self, now: float) -> None:
        """The file is another one: what did not fit may fit now."""
        if self.held.pardon():
            self._reconsider(now)

    def tick(self, now: float) -> None:
        """Do what time calls for."""
        if not self._passing:
            self._expire(now)
        held = self.wanted.at(self._boot, now)
        if held != self.wanted:
            self._want(held, now)
        if self.held.candidate and not self.overdue and now - self._since >= self._deadline_s:
            self.overdue = True
            emit(Event.SETTINGS_OVERDUE, self._title, state=self.held.state.value)

    def due(self, now: float) -> bool:
        """Whether a candidate that waits has waited long enough after its last strike."""
        return self.may and now >= self._retry_at

    def begin(self) -> None:
        """The candidate may be tried now: it is, once that is written."""
        self._trial = False
        attempt = self._attempt = object()

        def armed() -> None:
            self._armed = self._attempt is attempt  # else it was given up meanwhile

        self.held.arm(self._boot, armed)

    def refused(self, reason: str, now: float) -> None:
        """The candidate does not hold: it is never tried."""
        emit(Event.SETTINGS_REJECTED, self._title, problem=reason)
        self._end(Moment.REFUSED, reason, now)

    def passed(self, now: float) -> None:
        """The candidate has stood its probation."""
        if not self.on_trial or self._passing:
            return
        self._passing = True
        title = self._title

        def active() -> None:
            self._passing = self._trial = self.tried = False
            emit(Event.SETTINGS_ACTIVATED, title)
            self._reconsider(now)

        self.held.adopt(active)

    def failed(self, reason: str, now: float) -> None:
        """The candidate has failed its probation."""
        if self.on_trial and not self._passing:
            emit(Event.SETTINGS_ROLLED_BACK, self._title, problem=reason)
            self._end(Moment.FAILED, f"probation: {reason}", now)

    def leave(self) -> None:
        """The agent ends in good order, not for the candidate's sake: what was on was no risk."""
        if self.held.candidate and self.held.candidate.risky and not self._passing:
            self._armed = False
            self.held.mark(risky="")

    def standing(self) -> SettingsStanding:
        """Say where the settings stand, in the words of the reported state."""
        held = self.held
        reason = held.candidate.reason if held.candidate else held.verdict.reason if held.verdict else ""
        return SettingsStanding(
            state=held.state.value,
            generation=self.wanted.generation,
            overrides=tuple(sorted(self.running.values))[:_SHOWN],
            reason=reason,
            overdue=self.overdue,
            strikes=held.candidate.strikes if held.candidate else 0,
        )

    @property
    def _title(self) -> str:
        return self.held.titled(self.held.candidate.layers if self.held.candidate else self.wanted)

    def _begun_before(self, failed: str, now: float) -> None:
        """A candidate was on probation when the agent ended."""
        candidate = self.held.candidate
        if candidate is None:
            return
        if failed:
            emit(Event.SETTINGS_ROLLED_BACK, self._title, problem=failed)
            self.held.end(Moment.FAILED, f"probation: {failed}")
            return
        if not candidate.risky:
            self.held.wait()
            return
        strikes = candidate.strikes + 1
        why = "the agent died" if candidate.risky == self._boot else "the device rebooted"
        reason = f"{why} while they were on probation"
        emit(Event.SETTINGS_STRUCK, self._title, strikes=strikes, problem=reason)
        if strikes >= MOST_STRIKES:
            emit(Event.SETTINGS_REJECTED, self._title, problem=reason)
            self.held.end(Moment.REFUSED, f"strikes: {strikes}, the last because {reason}")
        else:
            self.held.wait(strikes=strikes, reason=reason)
            self._retry_at = now + self._retry_s * 2 ** (strikes - 1)

    def _expire(self, now: float) -> None:
        """What was active for a while is so no longer, and nothing has to be tried for that."""
        active = self.held.active.at(self._boot, now)
        if active != self.held.active:
            self.held.expire(active)

    def _want(self, layers: Layers, now: float) -> None:
        if layers != self.wanted:
            self.wanted, self._since, self.overdue = layers, now, False
        self._reconsider(now)

    def _reconsider(self, now: float) -> None:
        """Compare what is wanted with what there is; while a candidate passes, that is done when it has."""
        if self._passing:
            return
        held, goal = self.held, self._goal()
        if goal.values == held.active.values:
            refused = held.refuses(self.wanted.generation)
            self._rest()
            if refused:
                held.give_up()
            else:
                held.confirm(goal)
        elif held.candidate is None or held.candidate.layers.values != goal.values:
            self._rest()
            self._retry_at = now
            held.begin(goal)
        elif held.candidate.layers != goal:
            held.mark(layers=goal)

    def _goal(self) -> Layers:
        """What is wanted, without what shall not be tried again."""
        if not self.held.refuses(self.wanted.generation):
            return self.wanted
        active = self.held.active
        return active.model_copy(update={"temporary": self.wanted.temporary or active.temporary})

    def _end(self, moment: Moment, reason: str, now: float) -> None:
        candidate = self.held.candidate
        if candidate and self.held.is_ordered(candidate.layers):
            self.wanted = self.wanted.model_copy(update={"temporary": self.held.active.temporary})
        self._rest()
        self.held.end(moment, reason)
        self._reconsider(now)

    def _rest(self) -> None:
        """Nothing is on any more."""
        self._armed = self._trial = False
        self._attempt = None
