"""All lanes of an agent: their packets taken in and stored, their processes reaped and watched."""

from __future__ import annotations

import signal
from functools import partial
from typing import TYPE_CHECKING

from agent.processes.watch import Watch, Watched
from agent.seat import Seat
from agent.supervision.footage import Footage

if TYPE_CHECKING:
    import selectors
    from collections.abc import Callable, Iterator, Sequence

    from agent.clock import Clock
    from agent.store.thread import Store
    from agent.supervision.recorder import Recorder
    from agent.workers.lane import Lane
    from agent.workers.record import Record
    from agent.workers.run import Run

_PENDING_HIGH, _PENDING_LOW = 4096, 1024
"""Uncommitted records at which workers are no longer read, and at which they are again."""
_LAST_READS = 16


class Crew:
    """The lanes, each with its meter.

    Args:
        lanes: all of them.
        selector: the loop's.
        store: whose backlog decides whether workers are read; it takes their snapshots and clips.
        recorder: stores what they say.
        clock: where time comes from.
        saw: hears of records, with the pipeline's name, once they are stored.
    """

    def __init__(
        self,
        lanes: Sequence[Lane],
        selector: selectors.BaseSelector,
        store: Store,
        recorder: Recorder,
        *,
        clock: Clock,
        saw: Callable[[str, list[Record]], None] = lambda _name, _records: None,
    ) -> None:
        self.seats = [Seat(lane, Watch(selector)) for lane in lanes]
        self._store, self._recorder, self._clock = store, recorder, clock
        self._footage = Footage(store, clock)
        self._saw = saw
        self._paused = False

    def tick(self, now: float) -> None:
        """Let each lane do what time calls for."""
        for seat in self.seats:
            seat.lane.tick(now)

    def watch(self) -> None:
        """Keep the selector's descriptors in step with the lanes' processes."""
        for seat in self.seats:
            seat.watch.keep(self._watched(seat))

    def _watched(self, seat: Seat) -> Iterator[Watched]:
        if (run := seat.lane.run) is not None:
            heard = not run.closed and not (self._paused and self._patient(run))
            receive = partial(self._receive, seat) if heard else None
            yield Watched(run.process, partial(self._reap, seat), receive)

    def resume(self) -> None:
        """The store has taken something: read workers again that were kept waiting."""
        if self._paused and self._store.pending < _PENDING_LOW:
            self._paused = False

    def pids(self) -> set[int]:
        """The workers' process ids."""
        return {seat.lane.run.process.pid for seat in self.seats if seat.lane.run}

    def close(self) -> None:
        """Let go of all processes: those that are left are stuck, or an error ended the loop."""
        for seat in self.seats:
            seat.watch.keep(())
            if seat.lane.run:
                seat.lane.run.process.signal(signal.SIGKILL)
                seat.lane.run.process.close()

    def _receive(self, seat: Seat) -> None:
        self._keep(seat, seat.lane.receive())
        if self._store.pending > _PENDING_HIGH and not self._paused:
            self._paused = True  # workers block in send, live sources drop and count

    def _patient(self, run: Run) -> bool:
        """Whether a worker may be kept waiting: a recording always, a camera unless the disk refuses.

        A camera goes on at its rate whatever the disk does: what memory cannot hold is given up, and counted.
        Only a store that hangs keeps it waiting, until the watchdog comes.
        """
        return run.live is False or not self._store.refusing or self._store.queued > _PENDING_HIGH

    def _reap(self, seat: Seat) -> None:
        run = seat.lane.run
        for _ in range(_LAST_READS):  # a dead worker's packets can still be read
            if run is None or run.closed:
                break
            self._keep(seat, seat.lane.receive())
        seat.lane.reap(self._clock.monotonic())
        self._recorder.note(seat.lane)

    def _keep(self, seat: Seat, records: list[Record]) -> None:
        if run := seat.lane.run:
            seat.meter.keep(self._clock.monotonic(), records, run.timings)
            run.timings.clear()
            self._footage.take(seat.lane.name, run.media)
            run.media.clear()
        self._recorder.keep(seat.lane, records)
        if records:
            self._saw(seat.lane.name, records)
