"""Results as the JSON that leaves a worker, and what becomes of one that is too large for that."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from agent.pipeline.slot import Item
    from agent.types import Result

MAX_BYTES = 56 << 10
"""Of a record: a packet takes 64 KiB."""
SHORTENED = "result.shortened"


def record(item: Item, result: Result, infer_us: int) -> bytes:
    """Give the record of a frame's result."""
    body: dict[str, Any] = {
        "frame": item.info.seq,
        "captured_ns": item.info.captured_ns,
        "infer_us": infer_us,
        "kind": result.kind,
        "items": result.items,
    }
    if result.events:
        body["events"] = result.events
    if result.also:
        body["also"] = result.also
    if item.info.origin:
        body["origin"] = item.info.origin
    return orjson.dumps(body, option=orjson.OPT_SERIALIZE_NUMPY)


def shortened(item: Item, result: Result, infer_us: int) -> bytes:
    """Give a record of at most ``MAX_BYTES`` of a result that has more: its events, the first of them.

    A crowd shall not hide a crossing: filters tell an event once. What is left out is told by another event,
    ``result.shortened``, with how many ``items`` and ``events`` that is.
    """
    most = len(result.events)
    while True:
        left_out = {"event": SHORTENED, "items": len(result.items), "events": len(result.events) - most}
        kept = replace(result, items=(), also={}, events=(*result.events[:most], left_out))
        made = record(item, kept, infer_us)
        if len(made) <= MAX_BYTES or not most:
            return made
        most //= 2
