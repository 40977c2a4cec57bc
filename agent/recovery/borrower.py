"""One pipeline, and the accelerators that it may use: what it has now, and what it is to have."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from agent.recovery.ladder import OUT
from agent.workers.policy import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.boards.accelerators import Accelerator, Lend
    from agent.recovery.owner import Owner
    from agent.workers.lane import Lane
    from agent.workers.run import Run
    from agent.workers.spec import LaneSpec

_FIRST_S, _LONGEST_S = 30.0, 3600.0
_GONE = {State.STOPPED, State.ENDED, State.FATAL, State.STUCK}


def order(spec: LaneSpec, known: Sequence[Accelerator]) -> tuple[str, ...]:
    """Give the names of the accelerators that a pipeline may use, the best first.

    With ``delegate = "auto"`` these are the profile's up to the first that is the CPU; else the one named.
    """
    wanted = spec.backend_options.get("delegate", "auto")
    if spec.backend != "tflite":
        return ()
    if wanted != "auto":
        return tuple(one.title for one in known if one.native and one.title == wanted)
    found: list[str] = []
    for one in known:
        if not one.native:
            break
        found.append(one.title)
    return tuple(found)


@dataclass(slots=True)
class Held:
    """A connection that a worker was given.

    Attributes:
        life: the number of the accelerator's life that it goes to.
        run: the worker's life.
        model: SHA-256 of the model whose frames go there; "" while none do.
        since: since when, seconds of the monotonic clock.
    """

    loan: Lend
    owner: Owner
    life: int
    run: Run
    model: str = ""
    since: float = 0.0


@dataclass(slots=True)
class _Rest:
    """An accelerator that this pipeline's model does not work on."""

    until: float
    seconds: float


@dataclass(slots=True)
class Borrower:
    """A pipeline.

    Attributes:
        order: names of the accelerators that it may use, the best first.
        held: what its worker has now.
    """

    lane: Lane
    order: tuple[str, ...]
    held: Held | None = None
    _met: set[tuple[str, str]] = field(default_factory=set)
    _rests: dict[tuple[str, str], _Rest] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """SHA-256 of the model that serves."""
        return self.lane.ready.sha256 if self.lane.ready else ""

    @property
    def accelerated(self) -> bool:
        """Whether its frames go to an accelerator now."""
        return self.held is not None and self.accelerates(self.held)

    def accelerates(self, held: Held) -> bool:
        """Whether frames of the model that serves go there; a swap begins on the CPU."""
        return bool(held.model) and held.model == self.model

    @property
    def run(self) -> Run | None:
        """The life of a worker that can be given a connection."""
        run = self.lane.run
        return run if run is not None and not run.closed and self.lane.state is State.RUNNING else None

    def met(self, title: str) -> None:
        """Its model has met its golden answers there."""
        if len(self._met) > 64:
            self._met.clear()
        self._met.add((title, self.model))
        self._rests.pop((title, self.model), None)

    def has_met(self, title: str) -> bool:
        """Whether its model has ever worked there: then what goes wrong is no fault of the model."""
        return (title, self.model) in self._met

    def avoid(self, title: str, now: float) -> None:
        """Its model does not work there: try again after a while, or with another model."""
        key = title, self.model
        seconds = min(_LONGEST_S, 2 * self._rests[key].seconds) if key in self._rests else _FIRST_S
        if len(self._rests) > 64:
            self._rests.clear()
        self._rests[key] = _Rest(now + seconds, seconds)

    def wants(self, owners: Mapping[str, Owner], now: float) -> list[Owner]:
        """Give those that it wants to be open: those that are out, up to the first that it can wait for."""
        if self.lane.state in _GONE:
            return []
        found: list[Owner] = []
        for title in self.order:
            rest = self._rests.get((title, self.model))
            if rest is not None and now < rest.until:
                continue
            found.append(owners[title])
            if owners[title].state not in OUT:
                break
        return found

    def needs(self, owners: Mapping[str, Owner], now: float) -> Owner | None:
        """Give the one that it is to use, once that serves."""
        wanted = self.wants(owners, now)
        return wanted[-1] if wanted and wanted[-1].state not in OUT else None
