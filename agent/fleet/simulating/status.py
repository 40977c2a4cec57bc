"""What a simulated device says of itself: of the local socket's answer what vitals and commands use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent import __version__

if TYPE_CHECKING:
    from agent.fleet.simulating.lane import SimulatedLane
    from agent.fleet.simulating.outbox import MemoryStore
    from agent.plan import Plan
    from agent.uplink.uplink import Uplink


def status(
    plan: Plan, lane: SimulatedLane, store: MemoryStore, uplink: Uplink, *, uptime_s: float, fps: float
) -> dict[str, Any]:
    """Give it, with the same keys as ``agent.supervision.status.report``; what is not simulated is left out.

    Args:
        plan: who it is.
        lane: its pipeline.
        store: what waits for the collector.
        uplink: its link.
        uptime_s: since it has joined.
        fps: results a second.
    """
    return {
        "version": __version__,
        "device": plan.device,
        "profile": plan.profile.name,
        "uptime_s": round(uptime_s, 1),
        "pipelines": [_pipeline(lane, fps)],
        "governor": {"readings": {"celsius": None}},
        "store": {
            "backlog": store.backlog,
            "oldest_ns": store.oldest_ns,
            "streams": {"result": {"evicted": store.lost, "lost": 0}},
        },
        "link": uplink.status(),
    }


def _pipeline(lane: SimulatedLane, fps: float) -> dict[str, Any]:
    ready = lane.ready
    return {
        "name": lane.name,
        "state": lane.state.value,
        "model": ready.model if ready else None,
        "bundle": ready.bundle if ready else None,
        "delegate": ready.delegate if ready else None,
        "fps": fps if ready else 0.0,
        "infer_p50_ms": lane.infer_ms,
        "infer_p95_ms": lane.infer_ms * 1.1,
        "ledger": lane.ledger.to_json(),
        "restarts": lane.restarts,
        "problem": lane.problem or None,
    }
