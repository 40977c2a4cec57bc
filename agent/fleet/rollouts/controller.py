"""Works on a rollout: keeps each step before anything is published, so that a kill loses and doubles nothing.

What is published again after a kill is what was published before it: whether a device's newest desired state
wants the model in a generation above that which it had before says so, and that one was kept.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from agent.errors import LinkLost, MessageInvalid
from agent.fleet.rollouts import wishes
from agent.fleet.rollouts.course import Course
from agent.fleet.rollouts.table import State

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agent.documents.desired import Desired
    from agent.fleet.rollouts.lease import Held
    from agent.fleet.rollouts.record import Rollout
    from agent.fleet.rollouts.seams import Fleet
    from agent.fleet.rollouts.shelf import Shelf, Want

LOOK_S = 0.5
_ASK_S = 60.0
_KEEP_S = 2.0
"""So often is kept, at most, what devices have come to; a transition is kept at once."""


class Controller:
    """Works on one rollout until it is over, or waits for a person.

    Args:
        rollout: as it is kept.
        held: our hold on it.
        shelf: where requests lie.
        fleet: its devices.
        wall: seconds since 1970.
        show: told of the rollout whenever it has changed.
    """

    def __init__(
        self,
        rollout: Rollout,
        held: Held,
        shelf: Shelf,
        fleet: Fleet,
        *,
        wall: Callable[[], float],
        show: Callable[[Rollout], None] = lambda _: None,
    ) -> None:
        self._name = rollout.plan.name
        self._plan = rollout.plan
        self._held, self._shelf, self._fleet = held, shelf, fleet
        self._wall, self._show = wall, show
        self._course = Course(rollout, wall)
        self._lost: LinkLost | None = None
        self._kept: tuple[State, float] = (rollout.state, float("-inf"))

    def begin(self, want: Want | None = None) -> None:
        """Go on where it was; or do what is wanted.

        What was asked of one that rests is older than this, and forgotten.

        Raises:
            AgentError: somebody has taken it over, or the disk refuses.
        """
        if self._course.resting:
            self._shelf.answered(self._name)
        self._do(want)

    def run(self, now: Callable[[], float]) -> Rollout:
        """Work until it rests; ``now`` gives monotonic seconds.

        Raises:
            AgentError: somebody has taken it over, or the disk refuses.
            LinkLost: the broker refuses us, or is away for too long while something is to be published.
        """
        asked = now()
        while not self._course.resting:
            before = self._course.state
            self.turn(now())
            if self._course.state is before and not self._course.due():
                self._fleet.look(LOOK_S)
            if now() - asked >= _ASK_S:
                asked = now()
                self._refresh()
        return self._course.rollout

    def _refresh(self) -> None:
        """Ask for what may have been dropped; a broker that is away is asked the next time."""
        waited_for = self._course.waited_for()
        try:
            self._fleet.refresh(waited_for)
        except LinkLost as error:
            if self._lost is None:
                print(f"edgectl: WARNING: {error}; trying again", file=sys.stderr)
            self._lost = error
        else:
            self._lost = None

    def turn(self, now: float) -> None:
        """Go one step: take in what is known and what is asked, publish what is due."""
        self._asked()
        self._course.turn(now, self._fleet.view)
        if self._course.changed and (
            self._kept[0] is not self._course.state or now - self._kept[1] >= _KEEP_S
        ):
            self._keep(now)
        if self._course.due():
            self._held.check(self._name)
            self._put_back() if self._course.state is State.ABORTING else self._publish()

    def _asked(self) -> None:
        try:
            want = self._shelf.asked(self._name)
        except MessageInvalid:
            self._shelf.answered(self._name)
            raise
        if want is None:
            return
        self._do(want)
        self._shelf.answered(self._name)

    def _do(self, want: Want | None) -> None:
        if want == "pause":
            self._course.pause()
        elif want == "abort":
            self._course.abort()
        else:
            self._course.begin()
        self._keep()

    def _publish(self) -> None:
        """Have some devices of the wave run the model; what they have before is kept first."""
        due, view = self._course.due(), self._fleet.view
        latest = self._fleet.latest(due)
        for name in due:
            newest = latest.get(name)
            floor = max(newest.generation if newest else 0, self._told(name))
            earlier = wishes.before(self._plan, newest, view.reports.get(name))
            self._course.touched(name, floor, earlier, view)
        self._keep()
        made = self._wishes(wishes.forward, due, latest)
        self._fleet.publish(list(made.values()))
        for name in due:
            found = made.get(name) or latest[name]
            self._course.sent(name, found.generation)
        self._keep()

    def _put_back(self) -> None:
        """Have some devices run again what they ran before."""
        due = self._course.due()
        latest = self._fleet.latest(due)
        made = self._wishes(wishes.back, due, latest)
        self._fleet.publish(list(made.values()))
        for name in due:
            self._course.put_back(name, self._back_at(name, made.get(name), latest))
        self._keep()

    def _back_at(self, name: str, made: Desired | None, latest: Mapping[str, Desired]) -> int:
        """Give the generation that puts a device back, of now or of before a kill; 0 where there is none."""
        member, newest = self._course.members[name], latest.get(name)
        if made is not None:
            return made.generation
        again = newest is not None and member.generation and newest.generation > member.generation
        return newest.generation if again and newest else 0

    def _wishes(
        self, make: Callable[..., Desired | None], due: list[str], latest: Mapping[str, Desired]
    ) -> dict[str, Desired]:
        members, issued = self._course.members, int(self._wall())
        made = {
            name: make(
                self._plan, members[name], name, latest.get(name), told=self._told(name), issued=issued
            )
            for name in due
        }
        return {name: wish for name, wish in made.items() if wish is not None}

    def _told(self, name: str) -> int:
        report = self._fleet.view.reports.get(name)
        return report.generation if report else 0

    def _keep(self, now: float | None = None) -> None:
        """Keep what has changed; tell who looks on."""
        if self._course.changed:
            self._held.write(self._course.rollout)
            self._course.changed = False
            self._show(self._course.rollout)
        self._kept = self._course.state, self._kept[1] if now is None else now
