"""What the agent says of itself on its local socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent import __version__
from agent.errors import MessageInvalid
from agent.events import counters
from agent.processes.message import error_of
from agent.workers.policy import State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from agent.feeding.feeds import Feeds
    from agent.governor.governor import Governor
    from agent.metering import Meter
    from agent.plan import Plan
    from agent.recovery.accelerators import Accelerators
    from agent.store.flash import FlashStatus
    from agent.store.queue import StreamStatus
    from agent.store.status import StoreStatus
    from agent.uplink.uplink import Uplink
    from agent.workers.lane import Lane


def report(
    request: dict[str, Any],
    *,
    plan: Plan,
    now: float,
    uptime_s: float,
    pipelines: Sequence[tuple[Lane, Meter]],
    store: StoreStatus,
    store_problem: str,
    latency: Mapping[str, Any],
    flash: FlashStatus,
    uplink: Uplink | None,
    standings: Mapping[str, Mapping[str, Any]],
    governor: Governor,
    accelerators: Accelerators,
    feeds: Feeds,
    more: Mapping[str, Any],
) -> dict[str, Any]:
    """Answer ``{"op": "status"}``.

    Raises:
        MessageInvalid: any other request.
    """
    if request.get("op") != "status":
        raise MessageInvalid("answer", repr(request.get("op")), "no such request", 'Ask {"op": "status"}')
    return {
        "version": __version__,
        "device": plan.device,
        "profile": plan.profile.name,
        "uptime_s": round(uptime_s, 1),
        "pipelines": [
            _pipeline(lane, meter, now)
            | accelerators.standing(lane.name)
            | {"wants": standings.get(lane.name)}
            | governor.of_pipeline(lane.name)
            for lane, meter in pipelines
        ],
        "sources": [*feeds.status(), *_sources(plan, [lane for lane, _ in pipelines])],
        "governor": governor.status(now),
        "accelerators": accelerators.status(now),
        "store": _store(plan, store, flash, store_problem),
        "latency": latency,
        "link": uplink.status() if uplink else {"state": "none"},
        **more,
        "events": dict(sorted(counters.items())),
    }


def _store(plan: Plan, store: StoreStatus, flash: FlashStatus, problem: str) -> dict[str, Any]:
    return {
        "path": str(plan.data),
        "epoch": store.epoch,
        "accepted": store.accepted,
        "committed": store.committed,
        "acked": store.acked,
        "backlog": store.backlog,
        "oldest_ns": store.oldest_ns,
        "bytes": store.size,
        "cap": store.cap,
        "mode": "memory" if store.memory else "disk",
        "streams": {stream: _stream(store.epoch, one) for stream, one in store.streams.items()},
        "flash": {
            "written": flash.written,
            "per_day": flash.per_day,
            "extrapolated": flash.extrapolated,
        },
        "problem": problem,
    }


def _sources(plan: Plan, lanes: Sequence[Lane]) -> list[dict[str, Any]]:
    """Say how those sources with names are that their pipelines' workers read themselves."""
    apart = {one.source for one in plan.feeds}
    kinds = {one.name: one.kind for one in plan.settings.sources if one.name not in apart}
    return [
        {
            "name": spec.source_name,
            "kind": kinds[spec.source_name],
            "pipelines": [spec.pipeline],
            "state": _source_state(lane),
            "live": lane.run.live if lane.run else None,
            "pid": None,
            "restarts": 0,
            "problem": (lane.run.away or None) if lane.run else None,
        }
        for spec, lane in zip(plan.lanes, lanes, strict=True)
        if spec.source_name in kinds
    ]


def _source_state(lane: Lane) -> str:
    run = lane.run
    if run is None or run.ended:
        return "ended" if lane.state is State.ENDED else "stopped"
    return "away" if run.away else "opening" if run.live is None else "open"


def _stream(epoch: str, stream: StreamStatus) -> dict[str, Any]:
    return {
        "epoch": epoch,
        "accepted": stream.accepted,
        "committed": stream.committed,
        "acked": stream.acked,
        "backlog": stream.backlog,
        "bytes": stream.size,
        "evicted": stream.evicted,
        "lost": stream.lost,
    }


def _problem(lane: Lane) -> str | None:
    """What keeps the pipeline from its frames now, else the last fault of a worker."""
    if lane.run and lane.run.away:
        return lane.run.away
    return str(error_of(lane.fault)) if lane.fault else None


def _pipeline(lane: Lane, meter: Meter, now: float) -> dict[str, Any]:
    ready = lane.ready
    return {
        "name": lane.name,
        "state": lane.state.value,
        "pid": lane.run.process.pid if lane.run else None,
        "restarts": lane.restarts,
        "model": ready.model if ready else None,
        "sha256": ready.sha256 if ready else None,
        "bundle": ready.bundle if ready else None,
        "runtime": ready.runtime if ready else None,
        "delegate": ready.delegate if ready else None,
        "delegated": list(ready.delegated) if ready else None,
        "tuned": ready.tuned if ready else None,
        "stages": [one.model_dump() for one in ready.stages] if ready else [],
        "confined": ready.confined.model_dump() if ready else None,
        "fps": meter.fps(now),
        "infer_p50_ms": meter.percentile_ms(0.50),
        "infer_p95_ms": meter.percentile_ms(0.95),
        "infer_p99_ms": meter.percentile_ms(0.99),
        "latency": meter.stages.recent_ms(now),
        "ledger": lane.ledger.to_json(),
        "balanced": lane.ledger.balanced,
        "last": meter.last(now),
        "unwell": sorted(lane.run.unwell) if lane.run else [],
        "problem": _problem(lane),
    }
