"""Works on a rollout: keeps each step before anything is published, so that a kill loses and doubles nothing.

What is published again after a kill is what was kept before it, word for word: a device's newest desired
state that wants the model, in a generation above that which it had before. Nobody knows whether the broker
had it.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from agent.errors import MessageInvalid, Retryable
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
_GLANCE_S = 0.01
"""Between two slices of a wave: what the first one does stops the next."""
_ASK_S = 60.0
_KEEP_S = 2.0
"""So often is kept, at most, what devices have come to; of many more seldom. A transition is kept at once."""
_PATIENCE_S, _RETRY_S = 600.0, 2.0
"""So long the broker may be away, or the folder another's, and so often it is tried again."""


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
        self._view = fleet.view
        self._warned: Retryable | None = None
        self._since = 0.0
        self._every_s = max(_KEEP_S, len(rollout.members) / 1000)
        self._kept: tuple[State, float] = (rollout.state, float("-inf"))

    def begin(self, want: Want | None = None) -> None:
        """Go on where it was; or do what is wanted.

        What was asked of one that rests, or has not begun, is older than this, and forgotten.

        Raises:
            AgentError: somebody has taken it over, or the disk refuses.
        """
        if self._course.resting or self._course.state is State.PLANNED:
            self._shelf.answered(self._name)
        self._do(want)

    def run(self, now: Callable[[], float]) -> Rollout:
        """Work until it rests; ``now`` gives monotonic seconds.

        Raises:
            AgentError: somebody has taken it over, or the disk refuses.
            Retryable: for ten minutes the broker refuses us or is away, or others are at work in the folder.
        """
        self._since = now()
        lost_at: float | None = None
        while not self._course.resting:
            try:
                self._step(now)
            except Retryable as error:  # what was kept is done again, and doubles nothing
                lost_at = now() if lost_at is None else lost_at
                if now() - lost_at >= _PATIENCE_S:
                    raise
                self._warn(error)
            else:
                lost_at = self._warned = None
        return self._course.rollout

    def _step(self, now: Callable[[], float]) -> None:
        before = self._course.state
        self.turn(now())
        if self._course.state is before:
            self._fleet.look(_GLANCE_S if self._course.due() else LOOK_S)
        if now() - self._since >= _ASK_S:
            self._since = now()
            self._fleet.refresh(self._course.waited_for())

    def _warn(self, error: Retryable) -> None:
        """Say once what is in the way, and wait."""
        if self._warned is None:
            print(f"edgectl: WARNING: {error}. Trying again", file=sys.stderr)
        self._warned = error
        time.sleep(_RETRY_S)

    def turn(self, now: float) -> None:
        """Go one step: take in what is known and what is asked, publish what is due."""
        self._asked()
        self._view = self._fleet.view
        self._course.turn(now, self._view)
        if self._course.changed and (
            self._kept[0] is not self._course.state or now - self._kept[1] >= self._every_s
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
        due, view = self._course.due(), self._view
        latest = self._fleet.latest(due)
        for name in due:
            newest = latest.get(name)
            floor = max(newest.generation if newest else 0, self._told(name))
            earlier = wishes.before(self._plan, newest, view.reports.get(name))
            self._course.touched(name, floor, earlier, view)
        self._keep()
        made = {name: self._wish(wishes.forward, name, latest) or latest[name] for name in due}
        self._fleet.publish(list(made.values()))
        for name, wish in made.items():
            self._course.sent(name, wish.generation)
        self._keep()

    def _put_back(self) -> None:
        """Have some devices run again what they ran before."""
        due = self._course.due()
        latest = self._fleet.latest(due)
        found = {
            name: self._wish(wishes.back, name, latest) or self._since_then(name, latest) for name in due
        }
        self._fleet.publish([wish for wish in found.values() if wish is not None])
        for name, wish in found.items():
            self._course.put_back(name, wish.generation if wish else 0)
        self._keep()

    def _since_then(self, name: str, latest: Mapping[str, Desired]) -> Desired | None:
        """Give what took the place of the rollout's desired state: what a kill kept from being confirmed."""
        newest, member = latest.get(name), self._course.members[name]
        ours = max(member.generation, member.floor or 0)
        return newest if newest is not None and newest.generation > ours else None

    def _wish(
        self, make: Callable[..., Desired | None], name: str, latest: Mapping[str, Desired]
    ) -> Desired | None:
        """Make a device's next desired state; None where it was made before a kill."""
        member, issued = self._course.members[name], int(self._wall())
        return make(self._plan, member, name, latest.get(name), told=self._told(name), issued=issued)

    def _told(self, name: str) -> int:
        report = self._view.reports.get(name)
        return report.generation if report else 0

    def _keep(self, now: float | None = None) -> None:
        """Keep what has changed; tell who looks on."""
        if self._course.changed:
            self._held.write(self._course.rollout)
            self._course.changed = False
            self._show(self._course.rollout)
        self._kept = self._course.state, self._kept[1] if now is None else now
