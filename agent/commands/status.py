"""status: what ``edge-agent status --json`` shows, as far as it fits an outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from agent.commands.seams import Answer
from agent.documents.base import Document

if TYPE_CHECKING:
    from agent.commands.seams import Order, Reach

SUMMARY = "tell what edge-agent status shows"
QUICK = True
MOST = 60 << 10
"""Bytes; an outcome holds little more."""
_SPARE = ("events", "latency", "sources", "accelerators", "governor")
"""What goes first where it is too long, in this order."""
_CORE = ("name", "state", "model", "fps", "restarts", "problem")
_MOST_PIPELINES = 64


class Args(Document):
    """Nothing."""


def run(args: Args, order: Order, reach: Reach) -> Answer:
    """Tell it; ``left_out`` names what there was no room for."""
    del args, order
    return Answer(fitted(reach.status()))


def fitted(status: dict[str, Any]) -> dict[str, Any]:
    """Cut a status to what an outcome takes."""
    left_out = []
    for key in _SPARE:
        if len(orjson.dumps(status)) <= MOST:
            break
        if key in status:
            left_out.append(key)
            status = {name: value for name, value in status.items() if name != key}
    if len(orjson.dumps(status)) > MOST:
        left_out.append("pipelines")
        core = [{key: one.get(key) for key in _CORE} for one in status["pipelines"][:_MOST_PIPELINES]]
        for one in core:
            one["problem"] = str(one["problem"] or "")[:200]
        status = {key: status.get(key) for key in ("version", "device", "uptime_s")} | {"pipelines": core}
    return {**status, **({"left_out": left_out} if left_out else {})}
