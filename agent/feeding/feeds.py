"""All sources that have processes of their own, and which pipeline reads which.

Each tick compares what pipelines want with what there is: it starts and ends the processes, and gives workers
connections to them, a new one whenever either is a new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from agent.processes.watch import Watch, Watched
from agent.recovery.sharing import Sharing
from agent.workers.policy import State

if TYPE_CHECKING:
    import selectors
    from collections.abc import Callable, Mapping, Sequence

    from agent.capture.spec import CaptureSpec
    from agent.clock import Clock
    from agent.config.tables import Deadlines
    from agent.feeding.keeper import Keeper
    from agent.workers.lane import Lane
    from agent.workers.run import Run

_GONE = {State.STOPPED, State.ENDED, State.FATAL, State.STUCK}


@dataclass(frozen=True, slots=True)
class _Held:
    """A connection that a worker was given: which life of the worker, and of the process."""

    run: Run
    life: int


class Feeds:
    """Owns the capture processes.

    Args:
        specs: the sources that have one.
        lanes: all pipelines'.
        selector: the loop's.
        deadlines: of opening a source and of reading it.
        clock: where time comes from.
        keep: makes what looks after one source; a ``Keeper`` by default.
    """

    def __init__(
        self,
        specs: Sequence[CaptureSpec],
        lanes: Sequence[Lane],
        selector: selectors.BaseSelector,
        deadlines: Deadlines,
        *,
        clock: Clock,
        keep: Callable[[CaptureSpec, Deadlines], Keeper] | None = None,
    ) -> None:
        self._clock = clock
        self._lanes: Mapping[str, Lane] = {lane.name: lane for lane in lanes}
        self.keepers = [(keep or _keeper)(spec, deadlines) for spec in specs]
        self._watches = [Watch(selector) for _ in specs]
        self._sharing = [Sharing() for _ in specs]
        self._held: dict[str, _Held] = {}

    def tick(self, now: float) -> None:
        """Do what time calls for."""
        for keeper, watch in zip(self.keepers, self._watches, strict=True):
            keeper.tick(now)
            names = [name for name in keeper.spec.pipelines if self._lanes[name].state not in _GONE]
            keeper.want(names, now)
            for name in names:
                self._provide(keeper, self._lanes[name])
            self._keep(keeper, watch)

    def _provide(self, keeper: Keeper, lane: Lane) -> None:
        run, life = lane.run, keeper.life
        if run is None or run.closed or lane.state is not State.RUNNING or life is None:
            return
        wanted = _Held(run, life.number)
        held = self._held.get(lane.name)
        if held is not None and held.run is run and held.life == life.number:
            return
        if (end := keeper.connect(lane.name)) is None:
            return
        with end:
            if run.process.tell({"type": "feed"}, [end.fileno()]):
                self._held[lane.name] = wanted

    def _keep(self, keeper: Keeper, watch: Watch) -> None:
        if (life := keeper.life) is None:
            watch.keep(())
            return
        reap = partial(self._reap, keeper)
        watch.keep([Watched(life.process, reap, None if life.closed else keeper.receive)])

    def _reap(self, keeper: Keeper) -> None:
        keeper.reap(self._clock.monotonic())

    def pids(self) -> set[int]:
        """The process ids of all of them."""
        return {one.life.process.pid for one in self.keepers if one.life}

    def next_tick(self, now: float) -> list[float]:
        """Seconds until ``tick`` wants to be called, of each."""
        return [wait for one in self.keepers if (wait := one.next_tick(now)) is not None]

    def cpu_seconds(self, pipeline: str) -> float:
        """Give the CPU time that a pipeline has had of them: those that share a source have equal parts."""
        total = 0.0
        for keeper, sharing in zip(self.keepers, self._sharing, strict=True):
            if pipeline in keeper.spec.pipelines:
                for name in keeper.spec.pipelines:
                    sharing.answered(name, 1)
                sharing.look(keeper.life)
                total += sharing.of(pipeline)
        return total

    def status(self) -> list[dict[str, Any]]:
        """Say how each source is."""
        return [
            {
                "name": one.name,
                "kind": one.spec.kind,
                "pipelines": list(one.spec.pipelines),
                "state": one.state,
                "live": one.live,
                "pid": one.life.process.pid if one.life else None,
                "restarts": one.restarts,
                "problem": one.away or one.problem or None,
            }
            for one in self.keepers
        ]

    @property
    def idle(self) -> bool:
        """Whether no process is left that could end by itself; once no worker runs they are asked to."""
        return all(one.life is None or one.stuck for one in self.keepers)

    def close(self) -> None:
        """The agent ends now: leave no process."""
        for keeper, watch in zip(self.keepers, self._watches, strict=True):
            watch.keep(())
            keeper.abandon()


def _keeper(spec: CaptureSpec, deadlines: Deadlines) -> Keeper:
    from agent.feeding.keeper import (
        Keeper,  # with its processes and their messages: only where a source has one
    )

    return Keeper(spec, deadlines)
