"""Points and spans of time, as people write and read them: UTC, wherever no other zone is named."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from agent.errors import ConfigInvalid

_SPAN = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_NS = 1_000_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RANGE = 1 << 63
"""Databases take no more."""


def moment(text: str, now_ns: int) -> int:
    """Read a moment: ISO 8601 (UTC where no zone is given), "now", or how long ago: "90s", "2h", "1d".

    Args:
        text: what was written.
        now_ns: now, ns since 1970.

    Returns:
        Nanoseconds since 1970.

    Raises:
        ConfigInvalid: it is none of these.
    """
    found = _found(text.strip(), now_ns)
    if found is None or not -_RANGE <= found < _RANGE:
        hint = 'Write 2026-11-25T02:00 (UTC), 2026-11-25T03:00+01:00, "now", or how long ago: 90s, 2h, 1d'
        raise ConfigInvalid("read time", repr(text), "no moment in time", hint)
    return found


def _found(text: str, now_ns: int) -> int | None:
    if text.lower() == "now":
        return now_ns
    if (ago_s := span(text.lower())) is not None:
        return now_ns - int(ago_s * _NS)
    try:
        then = datetime.fromisoformat(text)
    except ValueError:
        return None
    zoned = then if then.tzinfo else then.replace(tzinfo=UTC)
    return (zoned - _EPOCH) // timedelta(microseconds=1) * 1000


def span(text: str) -> float | None:
    """Read a span of time, as "90s", "30m", "2h", "1d" or "1w"; give seconds, None for what is none."""
    found = _SPAN.fullmatch(text)
    return float(found[1]) * _SECONDS[found[2]] if found else None


def written(ns: int | None) -> str:
    """A moment for programs, in ISO 8601 to the millisecond; "" for none, and for what no calendar has."""
    if ns is None:
        return ""
    try:
        then = datetime.fromtimestamp(ns // _NS, UTC)
    except (OverflowError, ValueError, OSError):
        return ""
    return f"{then:%Y-%m-%dT%H:%M:%S}.{ns % _NS // 10**6:03d}Z"


def spelled(ns: int | None) -> str:
    """A moment for people, to the second."""
    return written(ns)[:19].replace("T", " ") or "unknown"
