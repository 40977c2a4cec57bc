"""Has pipelines do with less before the board's own limit, and tells of it. The supervisor's partner in this.

Two ladders, one for heat and one for memory, each with rungs of its own; what both ask for is taken together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agent.alerts import Alert
from agent.events import Event, emit
from agent.governor.cost import Costs, Totals
from agent.governor.hand import Hand
from agent.governor.ladder import Ladder, Strain
from agent.governor.power import PowerMeter
from agent.governor.readings import Board, Heat, Memory, memory
from agent.governor.relief import Relief, rungs
from agent.governor.strain import Warmth, scarcity
from agent.metrics import number

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from agent.config.tables import Measure
    from agent.plan import Plan
    from agent.seat import Seat


@dataclass(slots=True)
class _Climb:
    """A ladder, what its rungs ask for, and why it stands where it does."""

    name: str
    ladder: Ladder
    reliefs: tuple[Relief, ...]
    why: str = ""

    @property
    def relief(self) -> Relief:
        return self.reliefs[self.ladder.rung]

    def status(self, now: float) -> dict[str, Any]:
        rung = self.ladder.rung
        return {
            "rung": rung,
            "rungs": len(self.reliefs) - 1,
            "does": str(self.relief),
            "why": self.why if rung else "",
            "since_s": round(now - self.ladder.since, 1) if rung else None,
        }


class Governor:
    """Looks at the board from time to time, and holds all pipelines to what it can bear.

    Args:
        plan: the configuration, and the profile of the board.
        seats: the pipelines, with their meters.
        record: stores a record in the stream of alerts.
        totals: gives the bytes sent upstream and written to storage so far.
        on_trial: whether a pipeline tries a new model just now: then it runs as it was proved.
        shared: gives the CPU seconds that a pipeline has had of processes which it shares, since the start.
        root: the folder that stands for "/".
    """

    def __init__(
        self,
        plan: Plan,
        seats: Sequence[Seat],
        *,
        record: Callable[[dict[str, Any]], object],
        totals: Callable[[], tuple[int, int]],
        on_trial: Callable[[str], bool] = lambda _: False,
        shared: Callable[[str], float] = lambda _: 0.0,
        root: Path | None = None,
    ) -> None:
        table = plan.settings.governor
        self._table, self._seats, self._root = table, seats, root
        self._record, self._totals, self._on_trial = record, totals, on_trial
        self._board, self._power = Board(plan.thermal, root), PowerMeter(plan.profile.power, root)
        self._warmth = Warmth(plan.thermal, table.horizon_s)
        self._heat, self._scarcity = self._climb("heat", table.heat), self._climb("memory", table.memory)
        priorities = {one.name: one.priority for one in plan.settings.pipelines}
        self._hands = {seat.lane.name: Hand(seat.lane, priorities[seat.lane.name]) for seat in seats}
        self._costs = Costs([seat.lane for seat in seats], shared=shared, root=root)
        self._next = 0.0
        self._read = Heat(), Memory()

    def _climb(self, name: str, measures: Sequence[Measure]) -> _Climb:
        reliefs = rungs(measures, self._table.rates)
        ladder = Ladder(len(reliefs) - 1, dwell_s=self._table.dwell_s, cool_s=self._table.cool_s)
        return _Climb(name, ladder, reliefs)

    @property
    def relief(self) -> Relief:
        """What pipelines are to do without now."""
        return self._heat.relief | self._scarcity.relief

    def tick(self, now: float) -> None:
        """Look at the board when it is time to, and bring all workers to what it can bear."""
        if now < self._next:
            return
        self._next = now + self._table.look_s
        heat, left = self._read = self._board.heat(), memory(self._root)
        self._judge(now, self._heat, *self._warmth.judge(now, heat))
        limits = {"least_free": self._table.memory_free, "most_pressure": self._table.memory_pressure}
        self._judge(now, self._scarcity, *scarcity(left, **limits))
        for seat in self._seats:
            self._hold(now, seat)
        self._power.tick(now)
        self._costs.tick(now, Totals(*self._totals(), self._power.joules))

    def _hold(self, now: float, seat: Seat) -> None:
        relief = self.relief
        if self._on_trial(seat.lane.name):
            relief = Relief(share=relief.share, pause=relief.pause)
        settle = bool(self._scarcity.ladder.rung)
        self._hands[seat.lane.name].tick(now, relief, seat.meter.fps(now), settle=settle)

    def _judge(self, now: float, climb: _Climb, strain: Strain, why: str) -> None:
        moved = climb.ladder.tell(now, strain)
        if not moved:
            return
        climb.why = why
        event = Event.GOVERNOR_EASED if moved > 0 else Event.GOVERNOR_RESTORED
        rung, does = climb.ladder.rung, str(climb.relief)
        emit(event, climb.name, rung=rung, does=does, why=why)
        if moved < 0:  # good news is no warning, and so no alert of itself
            said = {"rung": str(rung), "does": does, "why": why}
            self._record(Alert(event.value, "info", climb.name, int(now * 1e9), said).as_json())

    def status(self, now: float) -> dict[str, Any]:
        """Say where both ladders stand, and what was read."""
        heat, left = self._read
        return {
            "heat": self._heat.status(now),
            "memory": self._scarcity.status(now),
            "readings": {
                "celsius": heat.celsius,
                "zone": heat.zone,
                "throttled": heat.throttled,
                "memory_available": left.available,
                "memory_pressure": left.pressure,
                "watts": None if self._power.watts is None else round(self._power.watts, 2),
                "power_source": self._power.source,
            },
        }

    def of_pipeline(self, name: str) -> dict[str, Any]:
        """Say what a pipeline is held to, and what its requests cost."""
        hand = self._hands[name]
        return {
            "pace": {"fps": hand.pace.fps, "paused": hand.pace.paused, "problem": hand.problem},
            "cost": self._costs.of(name).to_json(),
        }

    def numbers(self, pipeline: str | None) -> Iterator[dict[str, Any]]:
        """Give the metrics of a pipeline, or those of the board for None."""
        if pipeline is not None:
            pace = self._hands[pipeline].pace
            if pace.fps is not None:
                yield number("frames_per_second_limit", pace.fps)
            yield number("pipeline_paused", int(pace.paused))
            yield from self._costs.of(pipeline).numbers()
            return
        for climb in (self._heat, self._scarcity):
            yield number("governor_rung", climb.ladder.rung, ladder=climb.name)
            yield number("governor_eased_total", climb.ladder.ups, ladder=climb.name)
            yield number("governor_restored_total", climb.ladder.downs, ladder=climb.name)
        heat, left = self._read
        yield number("throttled", int(bool(heat.throttled)))
        if left.available is not None:
            yield number("memory_available_bytes", left.available)
        if left.pressure is not None:
            yield number("memory_pressure_ratio", left.pressure / 100)
        if self._power.watts is not None:
            yield number("power_watts", self._power.watts)
