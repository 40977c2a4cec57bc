"""Points in time, as people write them."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from agent.errors import ConfigInvalid

_AGO = re.compile(r"(\d+(?:\.\d+)?)([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_NS = 1_000_000_000


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
    if text == "now":
        return now_ns
    if ago := _AGO.fullmatch(text):
        return now_ns - int(float(ago[1]) * _SECONDS[ago[2]] * _NS)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        hint = 'Write 2026-11-25T02:00, "now", or how long ago: 90s, 2h, 1d'
        raise ConfigInvalid("read time", repr(text), "no moment in time", hint) from error
    zoned = found if found.tzinfo else found.replace(tzinfo=UTC)
    return int(zoned.timestamp() * _NS)


def spelled(ns: int | None) -> str:
    """Write a moment as people read it, UTC."""
    if ns is None:
        return "unknown"
    return datetime.fromtimestamp(ns / _NS, UTC).strftime("%Y-%m-%d %H:%M:%S")
