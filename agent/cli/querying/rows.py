"""Records as rows: the columns that people ask for, and the whole result as JSON beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from agent.moments import written

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from agent.blocks import Block, Content, Stream

MOST_RECORDS = 250_000
"""Records of each stream that ``--sql`` looks at without ``--limit``, the newest ones."""
RESULTS: dict[str, type] = {
    "time": str,
    "synced": int,
    "pipeline": str,
    "kind": str,
    "label": str,
    "score": float,
    "x": float,
    "y": float,
    "width": float,
    "height": float,
    "count": int,
    "items": str,
    "events": str,
    "also": str,
    "frame": int,
    "infer_ms": float,
    "model": str,
    "origin": str,
    "delivered": int,
    "stream": str,
    "epoch": str,
    "seq": int,
    "wall_ns": int,
    "captured_ns": int,
    "boot": str,
    "more": str,
}
"""Columns of a result or an alert. ``label`` to ``height`` are the first item's, which is the best one."""
METRICS: dict[str, type] = {
    "time": str,
    "synced": int,
    "pipeline": str,
    "name": str,
    "type": str,
    "value": float,
    "count": float,
    "sum": float,
    "p50": float,
    "p95": float,
    "p99": float,
    "p999": float,
    "max": float,
    "more": str,
    "epoch": str,
    "seq": int,
    "wall_ns": int,
}
RULE_EVENTS: dict[str, type] = {
    "time": str,
    "synced": int,
    "pipeline": str,
    "event": str,
    "label": str,
    "track": int,
    "zone": str,
    "line": str,
    "body": str,
    "frame": int,
    "stream": str,
    "epoch": str,
    "seq": int,
    "n": int,
    "wall_ns": int,
}
"""An event that a filter noticed, of a result or an alert; ``body`` is the whole of it."""
LEDGER: dict[str, type] = {
    "time": str,
    "synced": int,
    "pipeline": str,
    "captured": int,
    "inferred": int,
    "filtered": int,
    "gated": int,
    "dropped": int,
    "failed": int,
    "lost": int,
    "in_flight": int,
    "reasons": str,
    "stream": str,
    "epoch": str,
    "seq": int,
    "wall_ns": int,
}
"""A pipeline's ledger as of the record ``seq``: cumulative in its epoch."""
_BY_REASON = ("filtered", "dropped", "failed")
_KNOWN = {"pipeline", "kind", "items", "events", "also", "frame", "infer_us", "model", "origin"}
_KNOWN |= {"wall_ns", "captured_ns"}
_TOO_LARGE = 1 << 63
"""JSON of a worker holds whole numbers of 64 bits without a sign; SQLite's have one."""

Row = dict[str, Any]


def result_row(
    record: Mapping[str, Any],
    place: tuple[Stream, str, int],
    acked: int,
    content: Content,
    columns: Collection[str] = RESULTS,
) -> Row:
    """One record as a row of ``results`` or ``alerts``.

    Args:
        record: as it was stored.
        place: its stream, epoch and sequence number.
        acked: how far its epoch is acknowledged.
        content: of its block.
        columns: those that are wanted; what nobody asks for is not worked out.
    """
    items = record.get("items")
    best = items[0] if isinstance(items, list) and items and isinstance(items[0], dict) else {}
    x, y, width, height = _box(best.get("box"))
    infer_us = record.get("infer_us")
    row = _when(record, content, time="time" in columns) | {
        "label": _text(best.get("label")),
        "score": _number(best.get("score")),
        "x": x,
        "y": y,
        "width": width,
        "height": height,
        "count": len(items) if isinstance(items, list) else 0,
        "infer_ms": infer_us / 1000 if isinstance(infer_us, int) else None,
        "delivered": int(place[2] <= acked),
        "stream": place[0],
        "epoch": place[1],
        "seq": place[2],
        "boot": _text(content.clock.get("boot")),
    }
    if "items" in columns:
        row["items"] = _json(items or [])
    for name in ("events", "also"):
        row[name] = _json(record[name]) if record.get(name) else None
    if "more" in columns:
        more = {key: value for key, value in record.items() if key not in _KNOWN}
        row["more"] = _json(more) if more else None
    for name in ("kind", "frame", "model", "origin", "captured_ns"):
        value = record.get(name)
        row[name] = value if isinstance(value, str) else _number(value)
    return {name: row[name] for name in columns}


def metric_rows(record: Mapping[str, Any], place: tuple[Stream, str, int], content: Content) -> Iterator[Row]:
    """The metrics in one record, a row each."""
    items = record.get("items")
    for item in items if isinstance(items, list) else []:
        if isinstance(item, dict):
            row = _when(record, content) | {"epoch": place[1], "seq": place[2]}
            for name in ("name", "type"):
                row[name] = _text(item.get(name))
            for name in ("value", "count", "sum", "p50", "p95", "p99", "p999", "max"):
                row[name] = _number(item.get(name))
            more = {key: value for key, value in item.items() if key not in METRICS}
            row["more"] = _json(more) if more else None
            yield {name: row[name] for name in METRICS}


def event_rows(record: Mapping[str, Any], place: tuple[Stream, str, int], content: Content) -> Iterator[Row]:
    """The events that filters noticed in one record, a row each."""
    events = record.get("events")
    for n, event in enumerate(events if isinstance(events, list) else ()):
        if isinstance(event, dict):
            row = _when(record, content) | {"stream": place[0], "epoch": place[1], "seq": place[2], "n": n}
            for name in ("event", "label", "zone", "line"):
                row[name] = _text(event.get(name))
            row["track"] = _whole(event.get("track"))
            row["frame"] = _whole(record.get("frame"))
            row["body"] = _json(event)
            yield {name: row[name] for name in RULE_EVENTS}


def ledger_rows(block: Block, stream: Stream, epoch: str, content: Content) -> Iterator[Row]:
    """The ledgers as of a block's last record."""
    last = content.records[-1] if content.records else {}
    for pipeline, ledger in content.ledgers.items():
        row = _when(last, content) | {"pipeline": pipeline}
        row |= {name: _sum(ledger.get(name)) for name in _BY_REASON}
        for name in ("captured", "inferred", "gated", "lost", "in_flight"):
            row[name] = _number(ledger.get(name))
        row["reasons"] = _json({name: ledger.get(name) or {} for name in _BY_REASON})
        row |= {"stream": stream, "epoch": epoch, "seq": block.last}
        yield {name: row[name] for name in LEDGER}


def _when(record: Mapping[str, Any], content: Content, *, time: bool = True) -> Row:
    wall = _whole(record.get("wall_ns"))
    synced = content.clock.get("synced")
    return {
        "time": written(wall) if time else "",
        "synced": int(synced) if isinstance(synced, bool) else None,
        "pipeline": _text(record.get("pipeline")),
        "wall_ns": wall,
    }


def _box(box: object) -> tuple[float | None, ...]:
    """Left, top, width and height of a box [ymin, xmin, ymax, xmax]."""
    if isinstance(box, list) and len(box) == 4 and all(isinstance(side, int | float) for side in box):
        top, left, bottom, right = box
        sides = left, top, round(right - left, 6), round(bottom - top, 6)
        return tuple(_number(side) for side in sides)
    return None, None, None, None


def _sum(counts: object) -> int:
    values = counts.values() if isinstance(counts, dict) else []
    return sum(value for value in values if isinstance(value, int))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> float | None:
    if not isinstance(value, int | float):
        return None
    return value if abs(value) < _TOO_LARGE else float(value)


def _whole(value: object) -> int | None:
    return value if type(value) is int and abs(value) < _TOO_LARGE else None


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
