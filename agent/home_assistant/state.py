"""The state of the sensors: numbers and labels; nothing of pictures, places or errors. Pure."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from agent.home_assistant.discovery import MOST_PIPELINES

if TYPE_CHECKING:
    from collections.abc import Mapping

_LABEL = 100


def state(status: Mapping[str, Any]) -> dict[str, Any]:
    """Make the state out of what ``edge-agent status --json`` shows. What is not known is null."""
    return {
        "v": 1,
        "temperature_c": _number(status["governor"]["readings"]["celsius"]),
        "backlog": status["store"]["backlog"],
        "uptime_s": round(status["uptime_s"]),
        "pipelines": {one["name"]: _pipeline(one) for one in status["pipelines"][:MOST_PIPELINES]},
    }


def _pipeline(one: Mapping[str, Any]) -> dict[str, Any]:
    items: list[Mapping[str, Any]] = one["last"]["items"] if one["last"] else []
    labels = [(_score(item.get("score")), item["label"]) for item in items if _text(item.get("label"))]
    return {
        "state": one["state"],
        "fps": _number(one["fps"]),
        "p99_ms": _number(one["infer_p99_ms"]),
        "label": max(labels)[1][:_LABEL] if labels else None,
        "count": len(items) + one["last"]["more"] if one["last"] else None,
        "problem": "ON" if one["problem"] or one["unwell"] else "OFF",
    }


def _score(value: object) -> float:
    """Give a score as a worker tells it: anything that JSON has, and no more than a number counts."""
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else 0.0


def _text(value: object) -> bool:
    return isinstance(value, str) and bool(value)


def _number(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, 2)
