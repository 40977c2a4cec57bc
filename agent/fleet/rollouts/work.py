"""What the verbs of ``edgectl rollout`` do."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.errors import AgentError
from agent.fleet import inventory
from agent.fleet.rollouts import ground
from agent.fleet.rollouts.controller import Controller
from agent.fleet.rollouts.course import Course
from agent.fleet.rollouts.lease import busy, here, holding, locked
from agent.fleet.rollouts.live import LiveFleet
from agent.fleet.rollouts.planning import planned
from agent.fleet.rollouts.shelf import Shelf
from agent.fleet.rollouts.table import OVER, State

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from agent.fleet.rollouts.ground import Place
    from agent.fleet.rollouts.record import Plan, Rollout
    from agent.fleet.rollouts.shelf import Want

    Show = Callable[[Rollout], None]

_ANSWER_S = 20.0
"""So long a controller may take to see what is asked of it."""
_TURN_S = 0.2


def plan(
    place: Place, wanted: Plan, names: Sequence[str], groups: Sequence[str], *, strict: bool, dry: bool
) -> Rollout:
    """Plan a rollout and keep the plan; nothing is published.

    Args:
        place: where to work.
        wanted: what is wanted.
        names: of devices.
        groups: of devices.
        strict: refuse where a device cannot take part.
        dry: keep nothing.

    Raises:
        ConfigInvalid: a name is wrong or taken, nobody can take part, or a device is in another rollout.
        BundleRefused: the fleet's policy does not allow the model.
        LinkLost: the broker does not answer, or refuses.
        AgentError: the disk refuses.
    """
    shelf = Shelf(place.folder)
    devices = [one.name for one in inventory.chosen(place.folder, list(names), list(groups))]
    manifest = ground.allowed(place, wanted.model)
    shelf.free(wanted, set(devices))
    with LiveFleet(place, devices) as fleet:
        found = planned(wanted, manifest, devices, fleet.view, strict=strict)
    if not dry:
        with locked(shelf.lock(""), wait=True):
            shelf.free(wanted, set(found.members))
            shelf.write(found)
    return found


def run(place: Place, name: str, show: Show, *, want: Want | None = None, take_over: bool = False) -> Rollout:
    """Work on a rollout until it rests.

    Args:
        place: where to work; the fleet is the rollout's.
        name: the rollout's.
        show: told of it whenever it has changed.
        want: "abort" puts back what was; None goes on.
        take_over: take it from another machine.

    Raises:
        ConfigInvalid: there is none of this name, or no device believes our key.
        LinkLost: the broker refuses us, or is away while something is to be published.
        AgentError: somebody else works on it, or the disk refuses.
    """
    shelf = Shelf(place.folder)
    if (found := shelf.read(name)).state in OVER:
        return found
    place = replace(place, fleet=found.plan.fleet)
    keys = ground.keys(place)
    with (
        holding(shelf, name, time.time, take_over=take_over) as (rollout, held),
        LiveFleet(place, list(rollout.members), keys) as fleet,
    ):
        controller = Controller(rollout, held, shelf, fleet, wall=time.time, show=show)
        controller.begin(want)
        done = controller.run(time.monotonic)
    return done.model_copy(update={"lease": None})


def ask(
    folder: Path, name: str, want: Want, alone: Callable[[], Rollout], watch: Show = lambda _: None
) -> Rollout:
    """Have a rollout paused or aborted by who works on it; where nobody does, do it ourselves.

    Args:
        folder: the operator's.
        name: the rollout's.
        want: what.
        alone: does it where nobody works on it.
        watch: told of it whenever it has changed.

    Raises:
        ConfigInvalid: there is none of this name.
        AgentError: who works on it does not answer.
    """
    shelf = Shelf(folder)
    found = shelf.read(name)
    if found.state in OVER or (want == "pause" and found.state is State.PAUSED):
        return found
    if found.lease is None or not _worked_on(shelf, found):
        return alone()
    shelf.ask(name, want, int(time.time()))
    give_up = time.monotonic() + _ANSWER_S
    while True:
        time.sleep(_TURN_S)
        found = shelf.read(name)
        watch(found)
        if found.state in OVER or (want == "pause" and found.state in {State.PAUSED, State.HALTED}):
            return found
        if found.lease is None:
            return alone()
        if found.state is not State.ABORTING and time.monotonic() > give_up:
            problem = f"{found.lease.host}, process {found.lease.pid}, does not answer"
            hint = "It sees the request when it goes on; if it is gone, add --take-over"
            raise AgentError(want, f"rollout {name}", problem, hint)


def pause(folder: Path, name: str, *, take_over: bool = False) -> Rollout:
    """Pause a rollout on which nobody works.

    Raises:
        AgentError: somebody works on it, or the disk refuses.
    """
    shelf = Shelf(folder)
    with holding(shelf, name, time.time, take_over=take_over) as (rollout, held):
        course = Course(rollout, time.time)
        course.pause()
        held.write(course.rollout)
    return course.rollout.model_copy(update={"lease": None})


def _worked_on(shelf: Shelf, found: Rollout) -> bool:
    """Whether somebody may work on it: a process here holds the lock, or the lease is another machine's."""
    return found.lease is not None and (found.lease.host != here() or busy(shelf, found.plan.name))
