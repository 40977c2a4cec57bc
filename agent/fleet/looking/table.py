"""The fleet as a table for people, those that need somebody first, and as JSON."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from agent.fleet.columns import columns
from agent.fleet.looking.judging import REASONS, age_s, judge, spoken
from agent.wording import plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agent.fleet.looking.facts import Facts
    from agent.fleet.looking.judging import Limits

HEAD = ("NAME", "VERSION", "MODEL", "FPS", "P95", "TEMP", "BACKLOG", "OLDEST", "SEEN", "PROBLEM")
WIDE = 200
"""Characters of a line where there is no terminal."""
_MODEL = 36
_RED, _PLAIN = "\x1b[31m", "\x1b[0m"


def ordered(found: Iterable[Facts], limits: Limits, now_s: float) -> list[tuple[Facts, dict[str, str]]]:
    """Judge devices; give those first that need somebody, the most urgent of them first."""
    judged = [(one, judge(one, limits, now_s)) for one in found]
    return sorted(judged, key=lambda pair: (_urgency(pair[1]), pair[0].device))


def _urgency(red: dict[str, str]) -> int:
    return min((REASONS.index(reason) for reason in red), default=len(REASONS))


def table(
    judged: Sequence[tuple[Facts, dict[str, str]]], now_s: float, *, width: int, color: bool = False
) -> list[str]:
    """Give a line for each device, with a head.

    Args:
        judged: by ``ordered``.
        now_s: wall time, seconds since 1970.
        width: columns of the terminal; what does not fit is cut.
        color: whether red rows are red.
    """
    lines = columns([HEAD, *(_row(one, red, now_s) for one, red in judged)])
    lines = [line if len(line) <= width else f"{line[: width - 1]}…" for line in lines]
    if not color:
        return lines
    reds = [False, *(bool(red) for _, red in judged)]
    return [f"{_RED}{line}{_PLAIN}" if red else line for line, red in zip(lines, reds, strict=True)]


def _row(one: Facts, red: dict[str, str], now_s: float) -> tuple[str, ...]:
    age = age_s(one, now_s)
    rates = [each.fps for each in one.pipelines if each.fps is not None]
    slowest = [each.p95_ms for each in one.pipelines if each.p95_ms is not None]
    models = ", ".join(dict.fromkeys(each.model for each in one.pipelines or one.served if each.model))
    return (
        one.device,
        one.version or "-",
        plain(models, _MODEL) or "-",
        f"{sum(rates):.1f}" if rates else "-",
        f"{max(slowest):.1f} ms" if slowest else "-",
        "-" if one.temperature_c is None else f"{one.temperature_c:.0f} °C",
        "-" if one.backlog is None else str(one.backlog),
        spoken(one.oldest_s) if one.backlog else "-",
        "-" if age is None else spoken(age),
        "; ".join(red.values()) or "-",
    )


def summary(judged: Sequence[tuple[Facts, dict[str, str]]]) -> str:
    """Say in a line how many there are, and how many need somebody."""
    online = sum(one.online is True for one, _ in judged)
    reds = [red for _, red in judged if red]
    counts = Counter(reason for red in reds for reason in red)
    why = ", ".join(f"{counts[reason]} {reason}" for reason in REASONS if counts[reason])
    return f"{len(judged)} devices: {online} online, {len(reds)} red{f' ({why})' if why else ''}"


def facts_of(one: Facts, red: dict[str, str], now_s: float) -> dict[str, Any]:
    """Give what is known of a device as JSON."""
    age = age_s(one, now_s)
    return {**asdict(one), "age_s": None if age is None else round(age), "red": red}


def as_json(judged: Sequence[tuple[Facts, dict[str, str]]], now_s: float) -> dict[str, Any]:
    """Give everything as one object."""
    return {
        "of": len(judged),
        "online": sum(one.online is True for one, _ in judged),
        "red": sum(bool(red) for _, red in judged),
        "devices": {one.device: facts_of(one, red, now_s) for one, red in judged},
    }
