"""The course of a rollout: what comes next, by what devices report. It publishes nothing and keeps nothing.

Who drives it hands it what is known in ``turn``, publishes for the devices that ``due`` names, and tells it
so with ``touched``, ``sent`` and ``put_back``. Times are monotonic. A course that is begun again from its
file counts soak and deadline of the wave anew: a soak that nobody has watched is none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.fleet.rollouts import limits
from agent.fleet.rollouts.measures import Measures, before
from agent.fleet.rollouts.record import MOST_HISTORY, Entry
from agent.fleet.rollouts.table import MOVING, OVER, RESTING, TABLE, State, Step
from agent.fleet.rollouts.verdicts import judge, restored
from agent.fsm import Machine

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from agent.documents.desired import Wanted
    from agent.fleet.rollouts.record import Member, Rollout, Verdict
    from agent.fleet.rollouts.seams import View

SLICE = 100
"""For so many devices at a time is published, or a hundredth: a wave that goes bad meanwhile stops there."""
_BACK_S = 900.0
"""So long, and never longer than the deadline, devices may take to say that what was is back."""
_NAMED = 10
_ASKED = 2000


class Course:
    """A rollout under way.

    Args:
        rollout: as it was planned, or kept.
        wall: gives seconds since 1970, for people.

    Attributes:
        members: the devices.
        changed: whether there is something to keep; who keeps it says so.
    """

    def __init__(self, rollout: Rollout, wall: Callable[[], float]) -> None:
        self._rollout = rollout
        self._plan = rollout.plan
        self._wall = wall
        self._machine = Machine(TABLE, rollout.state)
        self._measures = Measures(rollout.plan)
        self._since: float | None = None
        self.members = dict(rollout.members)
        self._names: list[list[str]] = [[] for _ in rollout.sizes]
        for name, one in self.members.items():
            self._names[one.wave].append(name)
        self.changed = False

    @property
    def state(self) -> State:
        """Where it stands."""
        return self._machine.state

    @property
    def resting(self) -> bool:
        """Whether it ends here, or waits for a person."""
        return self.state in OVER | RESTING

    @property
    def rollout(self) -> Rollout:
        """The whole, as it is to be kept."""
        return self._rollout.model_copy(update={"state": self.state, "members": dict(self.members)})

    def begin(self) -> None:
        """Let a planned rollout begin, or one go on that was paused or had halted.

        Going on after a halt says that a person has looked: what has failed so far counts no longer, and
        conditions of the waves so far are not judged again.
        """
        if self.state is State.PLANNED:
            self._go(Step.START)
        elif self.state is State.PAUSED:
            self._go(Step.RESUME)
        elif self.state is State.HALTED:
            for name, one in self.members.items():
                if one.verdict in {"failed", "silent"}:
                    self.members[name] = one.model_copy(update={"excused": True})
            self._rollout = self._rollout.model_copy(update={"waived": self._rollout.wave + 1})
            self._go(Step.RESUME)

    def pause(self, why: str = "asked for") -> None:
        """Publish nothing further, until a person says so; what is published stays."""
        if self._machine.accepts(Step.PAUSE):
            self._go(Step.PAUSE, why)

    def abort(self, why: str = "asked for") -> None:
        """Put back what was."""
        if self._machine.accepts(Step.ABORT):
            self._go(Step.ABORT, why)

    def turn(self, now: float, view: View) -> None:
        """Take in what is known, and go one step at most."""
        self._since = now if self._since is None else self._since
        waited = now - self._since
        if self.state in MOVING:
            self._look(view, late=self._late(waited))
        if self.state in MOVING and (why := self._bad()):
            self._halt(why)
        elif self.due():
            return
        elif self.state is State.PUBLISHING:
            self._go(Step.PUBLISHED)
        elif self.state is State.CONVERGING:
            self._converging()
        elif self.state is State.SOAKING and waited >= self._plan.soak_s:
            self._soaked()
        elif self.state is State.ABORTING:
            self._aborting(view, late=waited >= min(_BACK_S, self._plan.deadline_s))

    def due(self) -> list[str]:
        """Name the devices for which is to be published now, so many at most."""
        if self.state is State.PUBLISHING:
            those = [name for name, one in self._wave().items() if not one.generation]
        elif self.state is State.ABORTING:
            those = [name for name, one in self.members.items() if one.floor is not None and one.back is None]
        else:
            those = []
        return those[: max(SLICE, len(self.members) // SLICE)]

    def waited_for(self) -> list[str]:
        """Name the devices whose next word matters, so many at most."""
        if self.state is State.ABORTING:
            return [name for name, one in self.members.items() if one.back][:_ASKED]
        return [name for name, one in self._wave().items() if one.verdict == "waiting"][:_ASKED]

    def touched(self, name: str, floor: int, previous: Mapping[str, Wanted | None], view: View) -> None:
        """Note what a device has before its desired state is published: what an abort puts back."""
        if self.members[name].floor is None:
            earlier = before(self._plan, view.vitals.get(name))
            self._set(name, floor=floor, previous=dict(previous), before=earlier)

    def sent(self, name: str, generation: int) -> None:
        """Note that a device's desired state with the model is published."""
        self._set(name, generation=generation)

    def put_back(self, name: str, generation: int) -> None:
        """Note that what was is published again; 0 where nothing was to be put back."""
        self._set(name, back=generation)

    def _wave(self, number: int | None = None) -> dict[str, Member]:
        names = self._names[self._rollout.wave if number is None else number]
        return {name: self.members[name] for name in names}

    def _late(self, waited: float) -> bool:
        """Whether the wave should have converged; while it soaks a device may be away for a moment."""
        soaking = self._plan.soak_s if self.state is State.SOAKING else 0.0
        return self.state is not State.PUBLISHING and waited >= self._plan.deadline_s + soaking

    def _look(self, view: View, *, late: bool) -> None:
        """See what became of each device."""
        for name, one in self.members.items():
            if not one.generation:
                continue
            verdict, reason = judge(view.reports.get(name), self._plan, one.generation)
            if name not in view.reports and (bad := view.refused.get(name)):
                reason = f"{reason}; what came in its name does not count: {bad}"[:500]
            if verdict == "waiting":
                late_too = late and one.wave == self._rollout.wave
                verdict, reason = self._waiting(one, reason, late=late_too, online=name in view.online)
            if verdict == "converged":
                self._measures.note(name, view.vitals.get(name))
            if (verdict, reason) != (one.verdict, one.reason):
                self._set(name, verdict=verdict, reason=reason)

    def _waiting(self, one: Member, reason: str, *, late: bool, online: bool) -> tuple[Verdict, str]:
        """Tell who has failed from who is late, and who is silent; once told so it stays until news comes."""
        if one.verdict in {"failed", "silent"}:
            return one.verdict, one.reason
        if not late:
            return "waiting", reason
        if online:
            return "failed", f"the deadline has passed: {reason}"[:500]
        return "silent", "it was offline when the deadline passed"

    def _bad(self) -> str:
        """Say which limit is broken, of this wave or an earlier one; "" for none."""
        for number in range(self._rollout.wave + 1):
            members = self._wave(number)
            why = limits.too_many(self._plan, number, members)
            if not why and number >= self._rollout.waived:
                why = limits.crossed(self._plan, number, members, self._measures)
            if why:
                return why
        return ""

    def _converging(self) -> None:
        wave, members = self._rollout.wave, self._wave()
        if not limits.settled(members):
            return
        if wave >= self._rollout.waived and (why := limits.nobody(wave, members)):
            self._halt(why)
        else:
            self._go(Step.CONVERGED)

    def _soaked(self) -> None:
        wave, members = self._rollout.wave, self._wave()
        if not limits.settled(members):
            return
        if wave >= self._rollout.waived and (why := limits.judged(self._plan, wave, members, self._measures)):
            self._halt(why)
        elif wave + 1 == len(self._rollout.sizes):
            self._go(Step.FINISH)
        else:
            self._rollout = self._rollout.model_copy(update={"wave": wave + 1})
            self._go(Step.ADVANCE)

    def _aborting(self, view: View, *, late: bool) -> None:
        """Wait until devices say that what was is back; who is offline finds it there when it comes."""
        found = {name: restored(self._plan, one, name, view) for name, one in self.members.items()}
        if not late and "pending" in found.values():
            return
        if left := [name for name, one in found.items() if one in {"pending", "stuck"}]:
            more = f" and {len(left) - _NAMED} more" if len(left) > _NAMED else ""
            names = ", ".join(left[:_NAMED]) + more
            self._go(Step.UNRESTORED, f"not back on what was: {names}; {self._rollout.reason}")
        else:
            self._go(Step.RESTORED, self._rollout.reason)

    def _halt(self, why: str) -> None:
        self._go(Step.HALT, why)
        if self._plan.on_fail == "abort":
            self._go(Step.ABORT, why)

    def _go(self, step: Step, why: str = "") -> None:
        """Move, and note it; times of the wave begin anew."""
        state = self._machine.fire(step)
        entry = Entry(at=int(self._wall()), state=state, wave=self._rollout.wave, why=why[:500])
        history: Sequence[Entry] = (*self._rollout.history, entry)[-MOST_HISTORY:]
        news = {"reason": why[:500], "history": tuple(history)}
        self._rollout = self._rollout.model_copy(update=news)
        self._since, self.changed = None, True

    def _set(self, name: str, **news: object) -> None:
        self.members[name] = self.members[name].model_copy(update=news)
        self.changed = True
