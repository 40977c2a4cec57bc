"""What is measured, as a closed list, and the records that carry it: one of each pipeline, one of the agent.

Names are those of Prometheus: base units, ``_total`` for what only grows, labels in braces. Counters begin
anew with the process that they count; histograms hold what came since the record before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.histogram import Histogram

_COUNTER, _GAUGE, _HISTOGRAM = "counter", "gauge", "histogram"

PIPELINE = {
    "frames_captured_total": _COUNTER,
    "frames_inferred_total": _COUNTER,
    "frames_filtered_total": _COUNTER,
    "frames_gated_total": _COUNTER,
    "frames_dropped_total": _COUNTER,
    "frames_failed_total": _COUNTER,
    "frames_lost_total": _COUNTER,
    "frames_in_flight": _GAUGE,
    "frames_per_second": _GAUGE,
    "worker_up": _GAUGE,
    "worker_restarts_total": _COUNTER,
    "worker_rss_bytes": _GAUGE,
    "worker_cpu_seconds_total": _COUNTER,
    "capture_wait_seconds": _HISTOGRAM,
    "preprocess_seconds": _HISTOGRAM,
    "queue_seconds": _HISTOGRAM,
    "infer_seconds": _HISTOGRAM,
    "decode_seconds": _HISTOGRAM,
    "send_seconds": _HISTOGRAM,
    "total_seconds": _HISTOGRAM,
    "frames_per_second_limit": _GAUGE,
    "pipeline_paused": _GAUGE,
    "cpu_seconds_per_1000_inferences": _GAUGE,
    "upstream_bytes_per_1000_results": _GAUGE,
    "flash_bytes_per_1000_results": _GAUGE,
    "joules_per_1000_inferences": _GAUGE,
    "model_state": _GAUGE,
    "model_swaps_total": _COUNTER,
    "model_rollbacks_total": _COUNTER,
    "results_aligned_total": _COUNTER,
    "results_unaligned_total": _COUNTER,
    "policy_alignment": _GAUGE,
}
"""Metrics of one pipeline, with their types."""

AGENT = {
    "uptime_seconds": _GAUGE,
    "rss_bytes": _GAUGE,
    "cpu_seconds_total": _COUNTER,
    "temperature_celsius": _GAUGE,
    "throttled": _GAUGE,
    "governor_rung": _GAUGE,
    "governor_eased_total": _COUNTER,
    "governor_restored_total": _COUNTER,
    "memory_available_bytes": _GAUGE,
    "memory_pressure_ratio": _GAUGE,
    "power_watts": _GAUGE,
    "clock_synced": _GAUGE,
    "store_bytes": _GAUGE,
    "store_cap_bytes": _GAUGE,
    "store_in_memory": _GAUGE,
    "store_committed_total": _COUNTER,
    "store_acked_total": _COUNTER,
    "store_backlog_records": _GAUGE,
    "store_evicted_total": _COUNTER,
    "store_lost_total": _COUNTER,
    "flash_written_bytes_total": _COUNTER,
    "flash_bytes_per_day": _GAUGE,
    "commit_seconds": _HISTOGRAM,
    "deliver_seconds": _HISTOGRAM,
    "link_online": _GAUGE,
    "batches_sent_total": _COUNTER,
    "batches_resent_total": _COUNTER,
    "batches_in_flight": _GAUGE,
    "sent_bytes_total": _COUNTER,
    "events_total": _COUNTER,
    "accelerator_up": _GAUGE,
    "accelerator_restarts_total": _COUNTER,
    "accelerator_blind_seconds_total": _COUNTER,
    "accelerator_incidents_total": _COUNTER,
}
"""Metrics of the agent itself."""

_TYPES = PIPELINE | AGENT


def number(name: str, value: float, **labels: str) -> dict[str, Any]:
    """Give one counter or gauge, as it stands in a record."""
    return {"name": _labelled(name, labels), "type": _TYPES[name], "value": value}


def spread(name: str, histogram: Histogram, **labels: str) -> dict[str, Any]:
    """Give one histogram, as it stands in a record; seconds."""
    return {"name": _labelled(name, labels), "type": _TYPES[name], **histogram.to_json()}


def record(pipeline: str | None, now: float, items: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Give the record that carries what was measured up to ``now``, seconds of the monotonic clock."""
    body: dict[str, Any] = {"kind": "metrics", "captured_ns": int(now * 1e9), "items": list(items)}
    if pipeline is not None:
        body["pipeline"] = pipeline
    return body


def _labelled(name: str, labels: dict[str, str]) -> str:
    """Write a name with its labels as Prometheus' text format does."""
    if not labels:
        return name
    said = (f'{key}="{_escaped(value)}"' for key, value in labels.items())
    return f"{name}{{{','.join(said)}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
