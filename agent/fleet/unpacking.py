"""Blocks as they came, which are acknowledged, and the tables that they are unpacked into behind it.

All functions run inside the caller's transaction: a block leaves ``raw`` in the transaction that makes its
rows, so a crash between storing and unpacking loses nothing and doubles nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from agent.blocks import Block, Content, unpack
from agent.errors import MessageInvalid
from agent.fleet import history

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from agent.fleet.outlet import Outlet
    from agent.fleet.ranges import Place
    from agent.fleet.sql import Sql

METRIC = "metric"
_MOST_BLOCKS = 256
_LONGEST_NAME = 200

_RECORD = "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_METRIC = f"INSERT INTO metrics VALUES ({', '.join('?' * 18)}) ON CONFLICT DO NOTHING"  # noqa: S608
_LEDGER = """
    INSERT INTO ledgers VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (device, stream, epoch, pipeline)
    DO UPDATE SET as_of_seq = excluded.as_of_seq, counts = excluded.counts
    WHERE excluded.as_of_seq > ledgers.as_of_seq
"""
_BAD = "INSERT INTO bad_blocks VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"


@dataclass(slots=True)
class Unpacked:
    """What one call has done.

    Attributes:
        records: how many left the blocks.
        bad: device and reason of each block that did not unpack.
        behind: how many records still wait.
        seconds: how long it took.
    """

    records: int = 0
    bad: list[tuple[str, MessageInvalid]] = field(default_factory=list)
    behind: int = 0
    seconds: float = 0.0


@dataclass(slots=True)
class _Rows:
    records: list[tuple[Any, ...]] = field(default_factory=list)
    metrics: list[tuple[Any, ...]] = field(default_factory=list)
    ledgers: list[tuple[Any, ...]] = field(default_factory=list)
    wall_ns: int | None = None


def keep(db: Sql, place: Place, block: Block) -> None:
    """Keep a block as it came."""
    insert = "INSERT INTO raw (device, stream, epoch, first, count, data) VALUES (?, ?, ?, ?, ?, ?)"
    db.execute(insert, (*place, block.first, block.count, block.data))


def unpack_some(
    db: Sql, most: int, now_ns: int, *, claim: str = "", outlet: Outlet | None = None
) -> Unpacked:
    """Unpack the oldest blocks, of about ``most`` records together, at least one.

    A block that does not unpack goes to ``bad_blocks``, with the reason: no copy of it is any better, since
    its checksum was right.

    Args:
        db: inside a transaction.
        most: records.
        now_ns: the wall time.
        claim: what the database wants behind a query, so that another collector takes other blocks.
        outlet: is given the records, too.
    """
    done = Unpacked()
    query = f"SELECT n, count FROM raw ORDER BY n LIMIT ? {claim}"  # noqa: S608
    for number, count in db.execute(query, (_MOST_BLOCKS,)).fetchall():
        if done.records >= most:
            break
        _unpack_one(db, number, now_ns, done, outlet)
        db.execute("DELETE FROM raw WHERE n = ?", (number,))
        done.records += count
    done.behind = db.execute("SELECT CAST(coalesce(sum(count), 0) AS BIGINT) FROM raw").fetchone()[0]
    return done


def _unpack_one(db: Sql, number: int, now_ns: int, done: Unpacked, outlet: Outlet | None) -> None:
    query = "SELECT device, stream, epoch, first, count, data FROM raw WHERE n = ?"
    *names, first, count, data = db.execute(query, (number,)).fetchone()
    place: Place = (names[0], names[1], names[2])
    block = Block(first, count, data)
    try:
        content = unpack(block)
        rows = _rows(place, block, content)
        db.executemany(_RECORD, rows.records)
        db.executemany(_METRIC, rows.metrics)
        db.executemany(_LEDGER, rows.ledgers)
        history.keep(db, rows.ledgers, rows.wall_ns)
    except MessageInvalid as error:
        done.bad.append((place[0], error))
        db.execute(_BAD, (*place, first, count, str(error), now_ns, data))
    else:
        if outlet is not None:
            outlet.add(place, first, content.records, content.clock.get("synced"))


def _rows(place: Place, block: Block, content: Content) -> _Rows:
    rows = _Rows()
    synced = content.clock.get("synced")
    mark = synced if isinstance(synced, bool) else None
    for seq, record in enumerate(content.records, block.first):
        columns = _columns(record)
        rows.wall_ns = columns[2]
        items = record.get("items")
        if place[1] == METRIC and isinstance(items, list) and all(isinstance(item, dict) for item in items):
            rows.metrics.extend(_metrics(place, seq, columns, items, mark))
        else:  # a metric record of another shape, too: nothing is thrown away
            rows.records.append((*place, seq, *columns, mark))
    rows.ledgers = [
        (*place, _name(name), block.last, _json(counts)) for name, counts in sorted(content.ledgers.items())
    ]
    return rows


def _metrics(
    place: Place,
    seq: int,
    columns: tuple[Any, ...],
    items: Iterable[Mapping[str, Any]],
    synced: bool | None,  # noqa: FBT001 - it stands in a row
) -> Iterable[tuple[Any, ...]]:
    pipeline, _, wall_ns, *_ = columns
    for number, item in enumerate(items):
        reals = {key: _real(item.get(key)) for key in ("value", "sum", "p50", "p95", "p99", "p999", "max")}
        value, *others = reals.values()
        what = (_text(item.get("name")), _text(item.get("type")), value, _number(item.get("count")), *others)
        buckets = item.get("buckets")
        merged = _json(buckets) if isinstance(buckets, list) else None
        yield (place[0], place[2], seq, number, wall_ns, pipeline, *what, synced, merged)


def _columns(record: Mapping[str, Any]) -> tuple[str | None, int | None, int | None, str | None, str]:
    """Pipeline, frame, wall_ns, kind, and the whole record as JSON."""
    return (
        _text(record.get("pipeline")),
        _number(record.get("frame")),
        _number(record.get("wall_ns")),
        _text(record.get("kind")),
        _json(record),
    )


def _json(value: object) -> str:
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:  # orjson reads deeper nesting than it writes
        raise MessageInvalid("unpack block", "record", str(error)) from error


def _name(text: str) -> str:
    """A pipeline's name, which stands in keys: databases bound what they index."""
    if len(text) > _LONGEST_NAME or "\0" in text:
        raise MessageInvalid("unpack block", "ledger", "a pipeline cannot be called so")
    return text


def _text(value: object) -> str | None:
    """A text as a column; PostgreSQL takes none with a zero in it."""
    return value if isinstance(value, str) and "\0" not in value else None


def _real(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _number(value: object) -> int | None:
    """An integer that fits 64 bits; what a peer sends may be anything."""
    return value if isinstance(value, int) and -(2**63) <= value < 2**63 else None
