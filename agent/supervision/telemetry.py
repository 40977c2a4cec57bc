"""What the agent tells of itself through its own store: metrics from time to time, alerts as they come up."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING, Any

from agent.alerts import Alert
from agent.events import counters
from agent.governor.readings import temperatures
from agent.metrics import number, record, spread
from agent.store.reports import StoreFault, StoreRecovered
from agent.supervision.passage import Passage
from agent.workers.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from agent.activation.manager import Activation
    from agent.clock import Clock
    from agent.ledger import Ledger
    from agent.recovery.accelerators import Accelerators
    from agent.seat import Seat
    from agent.store.thread import Store
    from agent.uplink.uplink import Uplink


class Telemetry:
    """Measures the way through the store, and puts metrics and alerts into it.

    Args:
        store: where everything goes.
        clock: says when, and whether its own wall time is to be believed.
        interval_s: how often metrics are recorded; 0 never.

    Attributes:
        passage: the door to the store, for whoever else has records.
        store_problem: why the disk refuses now, or "".
        others: who else has metrics: of a pipeline by its name, of the agent for None.
    """

    def __init__(self, store: Store, clock: Clock, interval_s: float) -> None:
        self._store = store
        self._clock = clock
        self._interval_s = interval_s
        self._began = clock.monotonic()
        self._next = self._began + interval_s
        self.passage = Passage(store, clock)
        self.store_problem = ""
        self.others: list[Callable[[str | None], Iterator[dict[str, Any]]]] = []

    def take(self, event: object, now: float) -> None:
        """Take in an alert or a report of the store; others are ignored."""
        match event:
            case Alert():
                self.passage.put([event.as_json()], {}, "alert")
            case StoreFault(error=error):
                self.store_problem = str(error)
            case StoreRecovered():
                self.store_problem = ""
            case _:
                self.passage.take(event, now)

    def tick(
        self,
        now: float,
        seats: Sequence[Seat],
        uplink: Uplink | None,
        models: Activation | None = None,
        accelerators: Accelerators | None = None,
    ) -> None:
        """Record metrics when it is time to."""
        if not self._interval_s or now < self._next:
            return
        self._next = now + self._interval_s
        records = []
        for seat in seats:
            name = seat.lane.name
            records.append(record(name, now, [*_of_pipeline(seat, now, models), *self._of_others(name)]))
        of_accelerators = accelerators.numbers() if accelerators else ()
        of_agent = [*self._of_agent(now, uplink), *of_accelerators, *self._of_others(None)]
        records.append(record(None, now, of_agent))
        self.passage.put(records, {}, "metric")

    def _of_others(self, pipeline: str | None) -> Iterator[dict[str, Any]]:
        for other in self.others:
            yield from other(pipeline)

    def latency(self, now: float) -> dict[str, Any]:
        """Percentiles of the last minute, milliseconds, by stream and by what was waited for."""
        found: dict[str, Any] = {}
        for name, percentiles in self.passage.spans.recent_ms(now).items():
            span, _, stream = name.partition(".")
            found.setdefault(stream, {})[span] = percentiles
        return found

    def _of_agent(self, now: float, uplink: Uplink | None) -> Iterator[dict[str, Any]]:
        yield number("uptime_seconds", round(now - self._began, 3))
        with closing(Usage(os.getpid())) as own:
            yield from _of_process(own, "")
        for zone, degrees in temperatures():
            yield number("temperature_celsius", degrees, zone=zone)
        if (synced := self._clock.synced()) is not None:
            yield number("clock_synced", int(synced))
        yield from self._of_store()
        for name, histogram in self.passage.spans.take().items():
            span, _, stream = name.partition(".")
            yield spread(f"{span}_seconds", histogram, stream=stream)
        if uplink is not None:
            link = uplink.status()
            yield number("link_online", int(uplink.online))
            yield number("batches_sent_total", link["batches_sent"])
            yield number("batches_resent_total", link["batches_resent"])
            yield number("batches_in_flight", link["batches_in_flight"])
            for stream, one in link["streams"].items():
                yield number("sent_bytes_total", one["sent_bytes"], stream=stream)
        for event, count in sorted(counters.items()):
            yield number("events_total", count, event=event)

    def _of_store(self) -> Iterator[dict[str, Any]]:
        status, flash = self._store.status(), self._store.flash()
        yield number("store_bytes", status.size)
        yield number("store_cap_bytes", status.cap)
        yield number("store_in_memory", int(status.memory))
        for stream, one in status.streams.items():
            yield number("store_committed_total", one.committed, stream=stream)
            yield number("store_acked_total", one.acked, stream=stream)
            yield number("store_backlog_records", one.backlog, stream=stream)
            yield number("store_evicted_total", one.evicted, stream=stream)
            yield number("store_lost_total", one.lost, stream=stream)
        yield number("flash_written_bytes_total", flash.written)
        yield number("flash_bytes_per_day", flash.per_day)


def _of_pipeline(seat: Seat, now: float, models: Activation | None) -> Iterator[dict[str, Any]]:
    lane = seat.lane
    yield from frames_of(lane.ledger)
    yield number("frames_per_second", seat.meter.fps(now))
    yield number("worker_up", int(lane.run is not None))
    yield number("worker_restarts_total", lane.restarts)
    if lane.run is not None:
        yield from _of_process(lane.run.process.usage, "worker_")
    for stage, histogram in seat.meter.stages.take().items():
        yield spread(f"{stage}_seconds", histogram)
    if models is not None:
        yield from models.numbers(lane.name)


def frames_of(ledger: Ledger) -> Iterator[dict[str, Any]]:
    """Give the metrics of a pipeline's frames: each account of its ledger."""
    yield number("frames_captured_total", ledger.captured)
    yield number("frames_inferred_total", ledger.inferred)
    for name, count in ledger.filtered.items():
        yield number("frames_filtered_total", count, filter=name)
    yield number("frames_gated_total", ledger.gated)
    for reason, count in ledger.dropped.items():
        yield number("frames_dropped_total", count, reason=reason)
    for reason, count in ledger.failed.items():
        yield number("frames_failed_total", count, reason=reason)
    yield number("frames_lost_total", ledger.lost)
    yield number("frames_in_flight", ledger.in_flight)


def _of_process(usage: Usage, prefix: str) -> Iterator[dict[str, Any]]:
    if (rss := usage.rss_bytes()) is not None:
        yield number(f"{prefix}rss_bytes", rss)
    if (cpu := usage.cpu_seconds()) is not None:
        yield number(f"{prefix}cpu_seconds_total", cpu)
