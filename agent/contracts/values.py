"""What must hold of each result, whoever made it: JSON without NaN, shares within [0, 1], names of events."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agent.contracts.checks import Breach

if TYPE_CHECKING:
    from agent.types import Result

MOST_BYTES = 56 << 10
"""Of a result as JSON: one message between processes takes 64 KiB."""
_KIND = re.compile(r"[a-z][a-z0-9_]{0,62}")
_RESERVED = frozenset(("failed", "ledger", "event", "metrics"))
_EVENT = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")


def check_result(result: object) -> None:
    """Check a result.

    Raises:
        Breach: something of it may not be so.
    """
    from agent.types import Result

    if not isinstance(result, Result):
        raise Breach(f"it gives {type(result).__name__}, not agent.types.Result")
    if not _KIND.fullmatch(str(result.kind)) or result.kind in _RESERVED:
        raise Breach(f"{result.kind!r} is no kind of a result: a word of a-z, 0-9 and _ that is not reserved")
    for name in ("items", "events"):
        if not isinstance(getattr(result, name), tuple):
            raise Breach(f"{name} is a {type(getattr(result, name)).__name__}, not a tuple")
    _check_json(result)
    for item in result.items:
        _check_item(item)
    for event in result.events:
        if not isinstance(event.get("event"), str) or not _EVENT.fullmatch(event["event"]):
            raise Breach(f"an event is called {event.get('event')!r}, not noun.verb")


def _check_json(result: Result) -> None:
    told = {"items": list(result.items), "events": list(result.events), "also": dict(result.also)}
    _check_plain(told, "")
    if (size := len(json.dumps(told))) > MOST_BYTES:
        raise Breach(f"a result of {size} bytes as JSON, of at most {MOST_BYTES}")


def _check_plain(value: Any, at: str) -> None:
    """Check that a value is JSON: of Python's types, not of numpy's, and finite."""
    if isinstance(value, Mapping):
        for key, one in value.items():
            if type(key) is not str:
                raise Breach(f"{at or 'a result'} has the key {key!r}, which is no text")
            _check_plain(one, f"{at}.{key}" if at else key)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for one in value:
            _check_plain(one, at)
    elif type(value) not in {str, int, float, bool, type(None)}:
        raise Breach(f"{at} holds a {type(value).__module__}.{type(value).__name__}, which is no JSON")
    elif isinstance(value, float) and not math.isfinite(value):
        raise Breach(f"{at} holds {value}")


def _check_item(item: Mapping[str, Any]) -> None:
    score = item.get("score", 0.0)
    if not isinstance(score, int | float) or not 0 <= score <= 1:
        raise Breach(f"a score of {score!r}, which is not within 0 and 1")
    box = item.get("box")
    if box is not None and (len(box) != 4 or not all(0 <= one <= 1 for one in box)):
        raise Breach(f"a box of {box!r}, which are not four shares of the frame within 0 and 1")
