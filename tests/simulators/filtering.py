"""Items as decoders and the filter ``track`` give them, and filters that are given them at some time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from agent.types import FrameInfo, Result

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.screening import Filter

SECOND_NS = 1_000_000_000


def item(
    x: float, y: float = 0.5, *, size: float = 0.1, label: str = "person", **more: Any
) -> dict[str, Any]:
    """Give an item whose box has its middle at x and y."""
    box = [y - size / 2, x - size / 2, y + size / 2, x + size / 2]
    return {"label": label, "index": 0, "score": 0.9, "box": box, **more}


def applied(
    one: Filter,
    seconds: float,
    items: Sequence[dict[str, Any]],
    *,
    kind: str = "detection",
    events: Sequence[dict[str, Any]] = (),
) -> Result | None:
    """Give what a filter makes of a result of a frame at this time."""
    frame = FrameInfo(seq=0, captured_ns=round(seconds * SECOND_NS), height=480, width=640)
    return one.apply(Result(kind, tuple(items), tuple(events)), frame)


def going_on(one: Filter, seconds: float, items: Sequence[dict[str, Any]]) -> Result:
    """Likewise, of a filter that holds nothing back."""
    result = applied(one, seconds, items)
    assert result is not None
    return result


def events(one: Filter, seconds: float, items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Give the events that a filter adds."""
    return [dict(event) for event in going_on(one, seconds, items).events]
