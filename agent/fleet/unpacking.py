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
    import sqlite3
    from collections.abc import Iterable, Mapping

    from agent.fleet.ranges import Place

METRIC = "metric"
_MOST_BLOCKS = 256

SCHEMA = (
    """
    CREATE TABLE raw (
        n INTEGER PRIMARY KEY AUTOINCREMENT, device TEXT NOT NULL, stream TEXT NOT NULL, epoch TEXT NOT NULL,
        first INTEGER NOT NULL, count INTEGER NOT NULL, data BLOB NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE bad_blocks (
        device TEXT, stream TEXT, epoch TEXT, first INTEGER, count INTEGER NOT NULL, reason TEXT NOT NULL,
        found_ns INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (device, stream, epoch, first)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE metrics (
        device TEXT, epoch TEXT, seq INTEGER, item INTEGER, wall_ns INTEGER, pipeline TEXT,
        name TEXT, type TEXT, value REAL, count INTEGER, sum REAL, p50 REAL, p95 REAL, p99 REAL, p999 REAL,
        max REAL,
        PRIMARY KEY (device, epoch, seq, item)
    ) STRICT, WITHOUT ROWID
    """,
    *(
        f"CREATE VIEW {table}_utc AS "  # noqa: S608
        f"SELECT strftime('%Y-%m-%dT%H:%M:%fZ', {column} / 1e9, 'unixepoch') AS time, * FROM {table}"
        for table, column in (
            ("results", "wall_ns"),
            ("metrics", "wall_ns"),
            ("ledger", "wall_ns"),
            ("gaps", "from_ns"),
        )
    ),
)

_RESULT = "INSERT OR IGNORE INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
_METRIC = "INSERT OR IGNORE INTO metrics VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_LEDGER = """
    INSERT INTO ledgers VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT DO UPDATE SET as_of_seq = excluded.as_of_seq, counts = excluded.counts
    WHERE excluded.as_of_seq > as_of_seq
"""


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
    results: list[tuple[Any, ...]] = field(default_factory=list)
    metrics: list[tuple[Any, ...]] = field(default_factory=list)
    ledgers: list[tuple[Any, ...]] = field(default_factory=list)
    wall_ns: int | None = None


def keep(db: sqlite3.Connection, place: Place, block: Block) -> None:
    """Keep a block as it came."""
    insert = "INSERT INTO raw (device, stream, epoch, first, count, data) VALUES (?, ?, ?, ?, ?, ?)"
    db.execute(insert, (*place, block.first, block.count, block.data))


def unpack_some(db: sqlite3.Connection, most: int, now_ns: int) -> Unpacked:
    """Unpack the oldest blocks, of about ``most`` records together, at least one.

    A block that does not unpack goes to ``bad_blocks``, with the reason: no copy of it is any better, since
    its checksum was right.
    """
    done = Unpacked()
    waiting = db.execute("SELECT n, count FROM raw ORDER BY n LIMIT ?", (_MOST_BLOCKS,)).fetchall()
    for number, count in waiting:
        if done.records >= most:
            break
        _unpack_one(db, number, now_ns, done)
        db.execute("DELETE FROM raw WHERE n = ?", (number,))
        done.records += count
    done.behind = db.execute("SELECT coalesce(sum(count), 0) FROM raw").fetchone()[0]
    return done


def _unpack_one(db: sqlite3.Connection, number: int, now_ns: int, done: Unpacked) -> None:
    query = "SELECT device, stream, epoch, first, count, data FROM raw WHERE n = ?"
    *names, first, count, data = db.execute(query, (number,)).fetchone()
    place: Place = (names[0], names[1], names[2])
    block = Block(first, count, data)
    try:
        rows = _rows(place, block, unpack(block))
    except MessageInvalid as error:
        done.bad.append((place[0], error))
        insert = "INSERT OR IGNORE INTO bad_blocks VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        db.execute(insert, (*place, first, count, str(error), now_ns, data))
        return
    db.executemany(_RESULT, rows.results)
    db.executemany(_METRIC, rows.metrics)
    db.executemany(_LEDGER, rows.ledgers)
    history.keep(db, rows.ledgers, rows.wall_ns)


def _rows(place: Place, block: Block, content: Content) -> _Rows:
    rows = _Rows()
    for seq, record in enumerate(content.records, block.first):
        columns = _columns(record)
        rows.wall_ns = columns[2]
        items = record.get("items")
        if place[1] == METRIC and isinstance(items, list) and all(isinstance(item, dict) for item in items):
            rows.metrics.extend(_metrics(place, seq, columns, items))
        else:  # a metric record of another shape, too: nothing is thrown away
            rows.results.append((*place, seq, *columns))
    rows.ledgers = [(*place, name, block.last, _json(counts)) for name, counts in content.ledgers.items()]
    return rows


def _metrics(
    place: Place, seq: int, columns: tuple[Any, ...], items: Iterable[Mapping[str, Any]]
) -> Iterable[tuple[Any, ...]]:
    pipeline, _, wall_ns, *_ = columns
    for number, item in enumerate(items):
        reals = {key: _real(item.get(key)) for key in ("value", "sum", "p50", "p95", "p99", "p999", "max")}
        value, *others = reals.values()
        what = (_text(item.get("name")), _text(item.get("type")), value, _number(item.get("count")), *others)
        yield (place[0], place[2], seq, number, wall_ns, pipeline, *what)


def _columns(record: Mapping[str, Any]) -> tuple[str | None, int | None, int | None, str | None, str]:
    """Pipeline, frame, wall_ns, kind, and the whole record as JSON."""
    return (
        _text(record.get("pipeline")),
        _number(record.get("frame")),
        _number(record.get("wall_ns")),
        _text(record.get("kind")),
        _json(record),
    )


def _json(value: Mapping[str, Any]) -> str:
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError as error:  # orjson reads deeper nesting than it writes
        raise MessageInvalid("unpack block", "record", str(error)) from error


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _real(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) else None


def _number(value: object) -> int | None:
    """An integer that fits SQLite's 64 bits; what a peer sends may be anything."""
    return value if isinstance(value, int) and -(2**63) <= value < 2**63 else None
