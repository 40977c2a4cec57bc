"""What will never come of an epoch, and why: told by the device, or seen by what it says it has delivered.

All functions run inside the caller's transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agent.fleet.ranges import disjoint, settled, within

if TYPE_CHECKING:
    from agent.blocks import Loss
    from agent.fleet.ranges import Place, Range
    from agent.fleet.sql import Sql

ELSEWHERE = "delivered_elsewhere"
"""The device says that it was acknowledged, and it is not here: this database is restored, or a new one."""

SCHEMA = (
    """
    CREATE TABLE gaps (
        device TEXT, stream TEXT, epoch TEXT, first INTEGER, last INTEGER NOT NULL, reason TEXT NOT NULL,
        from_ns INTEGER, to_ns INTEGER, declared_ns INTEGER NOT NULL,
        PRIMARY KEY (device, stream, epoch, first)
    ) STRICT, WITHOUT ROWID
    """,
)

_WHERE = "device = ? AND stream = ? AND epoch = ?"


class Gap(NamedTuple):
    """Records ``first`` to ``last`` are not here, and will not come."""

    first: int
    last: int
    reason: str
    from_ns: int | None
    to_ns: int | None
    declared_ns: int


def declare(db: Sql, place: Place, loss: Loss, now_ns: int) -> None:
    """Note what a device says is lost, as far as it is not here; a range that was noted keeps its reason."""
    for first, last in _missing(db, place, loss.first, loss.last):
        _add(db, place, Gap(first, last, loss.reason, loss.from_ns, loss.to_ns, now_ns))


def below(db: Sql, place: Place, low: int, now_ns: int) -> None:
    """Note what lies below ``low`` and is neither here nor known to be lost."""
    for first, last in _missing(db, place, settled(db, place), low - 1):
        _add(db, place, Gap(first, last, ELSEWHERE, None, None, now_ns))


def fill(db: Sql, place: Place, first: int, last: int) -> None:
    """Records that were thought lost have come after all: cut them out of the gaps."""
    for gap in overlapping(db, place, first, last):
        db.execute(f"DELETE FROM gaps WHERE {_WHERE} AND first = ?", (*place, gap.first))  # noqa: S608
        for a, b in ((gap.first, first - 1), (last + 1, gap.last)):
            if a <= b:
                _add(db, place, gap._replace(first=a, last=b))


def overlapping(db: Sql, place: Place, first: int, last: int) -> list[Gap]:
    """The gaps that share records with a range, in order."""
    query = disjoint("gaps", "first, last, reason, from_ns, to_ns, declared_ns")
    return [Gap(*row) for row in db.execute(f"{query} ORDER BY first", within(place, first, last))]


def _missing(db: Sql, place: Place, first: int, last: int) -> list[Range]:
    """The parts of a range that are neither stored nor known to be lost."""
    if last < first:
        return []
    query = f"{disjoint('have')} UNION ALL {disjoint('gaps')} ORDER BY 1"
    parts = []
    for a, b in db.execute(query, within(place, first, last) * 2):
        if first < a:
            parts.append((first, a - 1))
        first = max(first, b + 1)
    if first <= last:
        parts.append((first, last))
    return parts


def _add(db: Sql, place: Place, gap: Gap) -> None:
    db.execute("INSERT INTO gaps VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", (*place, *gap))
