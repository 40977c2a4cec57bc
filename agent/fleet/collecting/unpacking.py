"""Blocks as they came, which are acknowledged, and the tables that they are unpacked into: at once, or later.

All of it runs inside the caller's transaction: a block leaves ``raw`` in the transaction that makes its
rows, so a crash between storing and unpacking loses nothing and doubles nothing. A block that does not unpack
goes to ``bad_blocks``, with the reason: no copy of it is any better, since its checksum was right.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from agent.blocks import Block, Content
from agent.errors import MessageInvalid
from agent.fleet.collecting import history
from agent.fleet.collecting.contents import METRIC, contents, metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from agent.fleet.collecting.ranges import Place
    from agent.fleet.collecting.sql import Sql

MOST_BLOCKS = 256
"""So many become rows in one transaction."""
_MOST_BYTES = 4 << 20
"""Their bytes, about; unpacked they take several times as much."""
_LONGEST_NAME = 200

_BLOCK = "device, stream, epoch, first, count, data"
_WAIT = f"INSERT INTO raw ({_BLOCK}) VALUES (?, ?, ?, ?, ?, ?) RETURNING n"  # noqa: S608
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


class Intake:
    """Takes blocks in within one transaction: some become rows at once, the others wait as they came.

    Args:
        db: inside a transaction.
        now_ns: the wall time.
        most_bytes: of blocks that people may be waiting for and that are no backlog then.
        late: whether the transaction lasts too long already: then nothing is urgent.
        at_once: whether those become rows now; if not, they wait, and ``urgent`` has their numbers.

    Attributes:
        bad: why blocks did not become rows; who asks for it empties it.
        urgent: which blocks should become rows before all others that wait.
    """

    def __init__(
        self, db: Sql, now_ns: int, most_bytes: int, late: Callable[[], bool], *, at_once: bool = True
    ) -> None:
        self._db = db
        self._now_ns = now_ns
        self._spare = most_bytes
        self._late = late
        self._at_once = at_once
        self.bad: list[MessageInvalid] = []
        self.urgent: list[int] = []

    def take(self, place: Place, block: Block, *, fresh: bool) -> bool:
        """Take one block in; say whether it needs no ``unpack_blocks`` any more."""
        urgent = fresh and len(block.data) <= self._spare and not self._late()
        if urgent:
            self._spare -= len(block.data)
        if urgent and self._at_once:
            if problem := _make_rows(self._db, place, block, self._now_ns):
                self.bad.append(problem)
            return True
        row = (*place, block.first, block.count, block.data)
        number = self._db.execute(_WAIT, row).fetchone()[0]
        if urgent:
            self.urgent.append(number)
        return False


def oldest(db: Sql, most: int) -> list[int]:
    """The numbers of the oldest blocks that wait: of about ``most`` records together; none when it is 0."""
    found: list[int] = []
    spare = _MOST_BYTES
    query = "SELECT n, count, length(data) FROM raw ORDER BY n LIMIT ?"
    for number, count, size in db.execute(query, (MOST_BLOCKS,)).fetchall():
        if most <= 0 or spare <= 0:
            break
        most -= count
        spare -= size
        found.append(number)
    return found


def reserved(db: Sql, numbers: Iterable[int], reserve: str) -> Iterator[tuple[int, Place, Block]]:
    """Give blocks that wait, as far as they are still there and nobody else works on them.

    Args:
        db: inside a transaction.
        numbers: which blocks.
        reserve: what the database is asked of each, so that another collector does not get it.
    """
    query = f"SELECT {_BLOCK}, {reserve} FROM raw WHERE n = ?"  # noqa: S608
    for number in numbers:
        row = db.execute(query, (number,)).fetchone()
        if row is not None and row[-1]:
            yield number, tuple(row[:3]), Block(*row[3:6])


def unpack_blocks(
    db: Sql, numbers: Iterable[int], now_ns: int, claim: str, late: Callable[[], bool]
) -> Unpacked:
    """Make rows of blocks that wait, as far as they are still there and nobody else works on them.

    Args:
        db: inside a transaction.
        numbers: which blocks.
        now_ns: the wall time.
        claim: what the database wants behind a query, so that another collector does not get the same block.
        late: whether the transaction lasts too long already: then the rest waits for the next one.
    """
    done = Unpacked()
    query = f"SELECT {_BLOCK} FROM raw WHERE n = ? {claim}"  # noqa: S608
    for number in numbers:
        if (row := db.execute(query, (number,)).fetchone()) is None:
            continue
        place, block = tuple(row[:3]), Block(*row[3:])
        if problem := _make_rows(db, place, block, now_ns):
            done.bad.append((place[0], problem))
        db.execute("DELETE FROM raw WHERE n = ?", (number,))
        done.records += block.count
        if late():
            break
    return done


def waiting(db: Sql) -> int:
    """How many records wait. It reads the whole table: some 30 ms at 2 million."""
    return int(db.execute("SELECT CAST(coalesce(sum(count), 0) AS BIGINT) FROM raw").fetchone()[0])


def _make_rows(db: Sql, place: Place, block: Block, now_ns: int) -> MessageInvalid | None:
    """Make rows of a block, all of them; or none, and say why."""
    problem: MessageInvalid | None = None
    db.execute("SAVEPOINT block")
    try:
        rows = _rows(place, block, contents(block, place[1]))
        db.executemany(_RECORD, rows.records)
        db.executemany(_METRIC, rows.metrics)
        db.executemany(_LEDGER, rows.ledgers)
        history.keep(db, rows.ledgers, rows.wall_ns)
    except MessageInvalid as error:
        problem = error
    except (sqlite3.IntegrityError, sqlite3.DataError) as error:
        problem = MessageInvalid("unpack block", "record", str(error))
    if problem:
        db.execute("ROLLBACK TO block")
        db.execute(_BAD, (*place, block.first, block.count, str(problem), now_ns, block.data))
    db.execute("RELEASE block")
    return problem


def _rows(place: Place, block: Block, content: Content) -> _Rows:
    rows = _Rows()
    mark = content.clock["synced"]
    for seq, record in enumerate(content.records, block.first):
        columns = _columns(record)
        rows.wall_ns = columns[2]
        items = metrics(record) if place[1] == METRIC else None
        if items is not None:
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
    return orjson.dumps(value).decode()


def _name(text: str) -> str:
    """A pipeline's name, which stands in keys: databases bound what they index."""
    if len(text) > _LONGEST_NAME or "\0" in text:
        raise MessageInvalid("unpack block", "ledger", "a pipeline cannot be called so")
    return text


def _text(value: object) -> str | None:
    """A text as a column; PostgreSQL takes none with a zero in it."""
    return value if isinstance(value, str) and "\0" not in value else None


def _real(value: object) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _number(value: object) -> int | None:
    """An integer that fits 64 bits; what a peer sends may be anything, and to Python a bool is an integer."""
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if -(2**63) <= value < 2**63 else None
