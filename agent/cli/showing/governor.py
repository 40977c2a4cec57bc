"""What `edge-agent status` says of the governor: what is held back, why, and what requests cost."""

from __future__ import annotations

import textwrap
from typing import Any

_WIDTH = 79
_COSTS = (
    ("cpu_seconds_per_1000_inferences", "CPU s", 1.0),
    ("upstream_bytes_per_1000_results", "kB sent", 1e-3),
    ("flash_bytes_per_1000_results", "kB to flash", 1e-3),
    ("joules_per_1000_inferences", "J", 1.0),
)


def of_board(governor: dict[str, Any] | None) -> list[str]:
    """Say where the ladders stand; nothing while nothing is held back. An older agent tells nothing of it."""
    lines = []
    for name in ("heat", "memory"):
        one = (governor or {}).get(name, {})
        if one.get("rung"):
            said = (
                f"{name}: {one['does']} (rung {one['rung']} of {one['rungs']}) since {one['since_s']:.0f} s"
            )
            lines += textwrap.wrap(
                f"{said}: {one['why']}", _WIDTH, initial_indent="  ", subsequent_indent="    "
            )
    return lines


def of_pipeline(pipeline: dict[str, Any]) -> list[str]:
    """Say what a pipeline is held to, and what a thousand of its requests cost."""
    pace, cost = pipeline.get("pace") or {}, pipeline.get("cost") or {}
    lines = []
    if pace.get("paused"):
        lines.append("    paused: the board does with less")
    elif pace.get("fps"):
        lines.append(f"    held to {pace['fps']:g} fps: the board does with less")
    told = [f"{_short(cost[key] * scale)} {unit}" for key, unit, scale in _COSTS if cost.get(key) is not None]
    if told:
        lines.append(f"    1,000 inferences cost {', '.join(told)}")
    return lines


def _short(value: float) -> str:
    """Three digits, and all those before the point."""
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"
