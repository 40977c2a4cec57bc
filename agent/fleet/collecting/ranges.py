"""What the collector has of each epoch, as merged ranges of sequence numbers, and the watermark from them.

All functions run inside the caller's transaction: the watermark is that of the rows stored with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agent.blocks import MAX_SEQ, STREAMS

if TYPE_CHECKING:
    from agent.fleet.collecting.sql import Sql

Place = tuple[str, str, str]
"""(device, stream, epoch): what sequence numbers count in."""

Range = tuple[int, int]
"""First and last sequence number, both included."""

MOST_RANGES = 32
"""So many ranges above the watermark are told; the device sends the rest again."""

_PAGE = 128
_FEW = 16
"""Ranges that are walked over again, rather than to note how far they reach."""

SCHEMA = (
    """
    CREATE TABLE have (
        device TEXT, stream TEXT, epoch TEXT, first INTEGER, last INTEGER NOT NULL,
        PRIMARY KEY (device, stream, epoch, first)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE epochs (
        device TEXT, stream TEXT, epoch TEXT, low INTEGER NOT NULL, live INTEGER NOT NULL,
        touched INTEGER NOT NULL, PRIMARY KEY (device, stream, epoch)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX epochs_by_touch ON epochs (device, stream, touched)",
)

_WHERE = "device = ? AND stream = ? AND epoch = ?"


class Watermark(NamedTuple):
    """What of an epoch is stored.

    Attributes:
        upto: everything up to here is stored, or known to be lost.
        have: the first ranges above ``upto``.
    """

    upto: int
    have: tuple[Range, ...]


def add_range(db: Sql, place: Place, first: int, last: int) -> None:
    """Note that ``first`` to ``last`` are stored; ranges that overlap or touch become one."""
    before = db.execute(
        f"SELECT first, last FROM have WHERE {_WHERE} AND first <= ? ORDER BY first DESC LIMIT 1",  # noqa: S608
        (*place, first),
    ).fetchone()
    if before is not None and before[1] >= last:
        return
    if before is not None and before[1] >= first - 1:
        first = before[0]
    within = (*place, first, last + 1)
    query = f"SELECT max(last) FROM have WHERE {_WHERE} AND first BETWEEN ? AND ?"  # noqa: S608
    furthest = db.execute(query, within).fetchone()[0]
    db.execute(f"DELETE FROM have WHERE {_WHERE} AND first BETWEEN ? AND ?", within)  # noqa: S608
    db.execute("INSERT INTO have VALUES (?, ?, ?, ?, ?)", (*place, first, max(last, furthest or 0)))


def overlap(db: Sql, place: Place, first: int, last: int) -> int:
    """Count the records of ``first`` to ``last`` that are stored."""
    before = db.execute(
        f"SELECT last FROM have WHERE {_WHERE} AND first < ? ORDER BY first DESC LIMIT 1",  # noqa: S608
        (*place, first),
    ).fetchone()
    upper = "CASE WHEN last < ? THEN last ELSE ? END"
    total = f"SELECT CAST(coalesce(sum({upper} - first + 1), 0) AS BIGINT) FROM have"  # noqa: S608
    query = f"{total} WHERE {_WHERE} AND first BETWEEN ? AND ?"
    within: int = db.execute(query, (last, last, *place, first, last)).fetchone()[0]
    return within + (max(0, min(before[0], last) - first + 1) if before else 0)


def touch(db: Sql, place: Place, low: int, *, live: bool) -> None:
    """Note what a device says of an epoch; its ``low`` never falls, and a closed epoch stays closed."""
    db.execute(
        """
        INSERT INTO epochs SELECT ?, ?, ?, ?, ?, 1 + coalesce(max(touched), 0) FROM epochs
        WHERE device = ? AND stream = ?
        ON CONFLICT (device, stream, epoch) DO UPDATE SET
            low = CASE WHEN excluded.low > epochs.low THEN excluded.low ELSE epochs.low END,
            live = CASE WHEN excluded.live < epochs.live THEN excluded.live ELSE epochs.live END,
            touched = excluded.touched
        """,
        (*place, low, int(live), *place[:2]),
    )


def disjoint(table: str, columns: str = "first, last") -> str:
    """A query for the ranges that share records with one, of a table in which no two overlap.

    Only the first of them can begin before it: all are found by the index. ``within`` gives its parameters.
    With max() PostgreSQL reads the whole epoch, until statistics tell it better.
    """
    return f"""
        SELECT {columns} FROM {table} WHERE {_WHERE} AND last >= ? AND first <= ? AND first >=
        coalesce((SELECT first FROM {table} WHERE {_WHERE} AND first <= ? ORDER BY first DESC LIMIT 1), ?)
    """  # noqa: S608


def within(place: Place, first: int, last: int) -> tuple[str | int, ...]:
    """The parameters of ``disjoint`` for a range."""
    return (*place, first, last, *place, first, first)


def known(db: Sql, place: Place, first: int, last: int, most: int) -> list[Range]:
    """The first ranges, in order, that are stored or known to be lost, and share records with one."""
    query = f"{disjoint('have')} UNION ALL {disjoint('gaps')} ORDER BY 1 LIMIT {most}"
    return db.execute(query, within(place, first, last) * 2).fetchall()


def settled(db: Sql, place: Place) -> int:
    """All below this is stored, or known to be lost."""
    row = db.execute(f"SELECT low FROM epochs WHERE {_WHERE}", place).fetchone()  # noqa: S608
    return int(row[0]) if row else 1


def watermark(db: Sql, place: Place) -> Watermark:
    """Work out what to acknowledge of an epoch that was touched."""
    upto, _ = _walk(db, place)
    return Watermark(upto, _above(db, place, upto))


def settle(db: Sql, place: Place) -> Watermark:
    """Work out the watermark, and move ``low`` up to it after a long way, which nobody then walks again."""
    upto, steps = _walk(db, place)
    if steps > _FEW:
        db.execute(f"UPDATE epochs SET low = ? WHERE {_WHERE}", (upto + 1, *place))  # noqa: S608
    return Watermark(upto, _above(db, place, upto))


def _above(db: Sql, place: Place, upto: int) -> tuple[Range, ...]:
    query = f"SELECT first, last FROM have WHERE {_WHERE} AND first > ? ORDER BY first LIMIT {MOST_RANGES}"  # noqa: S608
    return tuple(db.execute(query, (*place, upto)).fetchall())


def _walk(db: Sql, place: Place) -> tuple[int, int]:
    """How far the stored ranges and the gaps reach without a hole, and how many they are."""
    upto, steps = settled(db, place) - 1, 0
    full = True
    while full:
        page = known(db, place, upto + 1, MAX_SEQ, _PAGE)
        full = len(page) == _PAGE
        for first, last in page:
            if first > upto + 1:
                return upto, steps
            upto, steps = last, steps + 1
    return upto, steps


def recent(db: Sql, device: str, count: int) -> dict[str, dict[str, Watermark]]:
    """Give the watermarks of the ``count`` epochs of each stream that ``device`` sent last."""
    latest = "SELECT epoch FROM epochs WHERE device = ? AND stream = ? ORDER BY touched DESC LIMIT ?"
    found = {stream: db.execute(latest, (device, stream, count)).fetchall() for stream in STREAMS}
    return {
        stream: {epoch: watermark(db, (device, stream, epoch)) for (epoch,) in epochs}
        for stream, epochs in found.items()
        if epochs
    }
