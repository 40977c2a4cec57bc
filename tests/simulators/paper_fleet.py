"""A fleet in memory, whose devices do what a test says with a model; and a controller that may be killed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from agent.documents.desired import Desired, Wanted
from agent.documents.reported import Reported, Serving, Standing
from agent.documents.vitals import PipelineVitals, Vitals
from agent.fleet.rollouts.controller import Controller
from agent.fleet.rollouts.lease import holding
from agent.fleet.rollouts.record import Member, Plan, Rollout
from agent.fleet.rollouts.seams import View
from agent.fleet.rollouts.shelf import Shelf

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from agent.fleet.rollouts.shelf import Want

OLD, NEW = Wanted(name="shapes", version="1.0.0"), Wanted(name="shapes", version="1.1.0")
Mood = Literal["good", "rejects", "rolls back", "slow", "offline", "stuck", "unnamed"]
"""``unnamed``: good, and nothing was ever wanted of it."""


class Killed(BaseException):
    """The controller's process was killed here."""


@dataclass
class PaperDevice:
    """One device; ``history`` holds all that it was ever told to want."""

    name: str
    mood: Mood = "good"
    wish: Desired | None = None
    history: list[Desired] = field(default_factory=list)
    serving: Wanted = OLD
    served: set[Wanted] = field(default_factory=set)

    def report(self) -> Reported | None:
        if self.mood == "offline" and self.wish is not None and self.wish.models.get("door") == NEW:
            return None
        wish = self.wish
        wanted = wish.models.get("door") if wish else None
        state: Any = "active" if wanted else "idle"
        if wanted == NEW and self.mood in {"rejects", "rolls back", "stuck"}:
            state = {"rejects": "rejected", "rolls back": "rolled_back", "stuck": "proving"}[self.mood]
        elif wanted is not None:
            self.serving = wanted
        self.served.add(self.serving)
        generation = wish.generation if wish else 0
        one = Standing(
            state=state,
            serving=Serving(name=self.serving.name, version=self.serving.version),
            wanted=wanted,
            generation=generation,
            reason="golden 3 differs" if state == "rejected" else "",
        )
        return Reported(fleet="demo", device=self.name, generation=generation, at=1, pipelines={"door": one})

    def vitals(self, at: int) -> Vitals | None:
        report = self.report()
        if report is None:
            return None
        one = PipelineVitals(
            state="running",
            model=str(self.serving),
            fps=10.0,
            p95_ms=40.0 if self.serving == NEW and self.mood == "slow" else 20.0,
            inferred=100 * at,
        )
        return Vitals(fleet="demo", device=self.name, at=at, temperature_c=50.0, pipelines={"door": one})


class PaperFleet:
    """Devices by their names. The world's clock goes on by a second a look.

    Args:
        moods: what each does with the new model.
        killed: called before and after each thing that outlives the controller.
    """

    def __init__(self, moods: Mapping[str, Mood], killed: Callable[[], None] = lambda: None) -> None:
        self.devices = {name: PaperDevice(name, mood) for name, mood in moods.items()}
        for one in self.devices.values():
            if one.mood != "unnamed":
                one.wish = Desired(fleet="demo", device=one.name, generation=3, models={"door": OLD})
        self.folder: dict[str, Desired] = {}
        self.killed = killed
        self.clock = 0.0
        self.looks = 0

    def now(self) -> float:
        return self.clock

    @property
    def view(self) -> View:
        reports = {one.name: found for one in self.devices.values() if (found := one.report())}
        vitals = {one.name: said for one in self.devices.values() if (said := one.vitals(int(self.clock)))}
        return View(reports, vitals, {name for name, one in self.devices.items() if one.mood != "offline"})

    def look(self, timeout_s: float) -> None:
        self.clock += 1.0
        self.looks += 1
        assert self.looks < 5000, "the rollout goes nowhere"

    def refresh(self, devices: Sequence[str]) -> None:
        assert set(devices) <= set(self.devices)

    def latest(self, devices: Sequence[str]) -> Mapping[str, Desired]:
        found = {name: (self.folder.get(name), self.devices[name].wish) for name in devices}
        known = {name: [wish for wish in both if wish] for name, both in found.items()}
        return {name: max(those, key=lambda one: one.generation) for name, those in known.items() if those}

    def publish(self, wishes: Sequence[Desired]) -> None:
        for wish in wishes:
            self.killed()
            self.folder[wish.device] = wish
            self.killed()
            one = self.devices[wish.device]
            if wish != one.wish:
                assert one.wish is None or wish.generation > one.wish.generation
                one.wish = wish
                one.history.append(wish)
            self.killed()

    def wanting(self, model: Wanted = NEW) -> set[str]:
        return {n for n, one in self.devices.items() if one.wish and one.wish.models.get("door") == model}


class CountingShelf(Shelf):
    """Keeps rollouts, and may be killed before or after it has."""

    def __init__(self, folder: Path, killed: Callable[[], None] = lambda: None) -> None:
        super().__init__(folder)
        self.killed = killed

    def write(self, rollout: Rollout) -> None:
        self.killed()
        super().write(rollout)
        self.killed()


def plan(name: str = "one", **more: Any) -> Plan:
    """Give a plan of model NEW for the pipeline "door"."""
    values: dict[str, Any] = {
        "name": name,
        "fleet": "demo",
        "model": NEW,
        "pipelines": ("door",),
        "waves": ("1", "100%"),
        "soak_s": 5.0,
        "deadline_s": 60.0,
        "max_fail": 0.0,
        **more,
    }
    return Plan(**values)


def planned(wanted: Plan, *waves: Sequence[str]) -> Rollout:
    """Give a rollout with these devices in its waves."""
    members = {name: Member(wave=number) for number, names in enumerate(waves) for name in names}
    return Rollout(plan=wanted, sizes=tuple(map(len, waves)), members=members)


def worked(shelf: Shelf, fleet: PaperFleet, name: str = "one", want: Want | None = None) -> Rollout:
    """Let a controller work on a rollout until it rests."""
    with holding(shelf, name, lambda: 1.0) as (rollout, held):
        controller = Controller(rollout, held, shelf, fleet, wall=lambda: 1.0)
        controller.begin(want)
        return controller.run(fleet.now)
