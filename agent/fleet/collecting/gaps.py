"""What will never come of an epoch, and why: told by the device, or seen by what it says it has delivered.

All functions run inside the caller's transaction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from agent.fleet.collecting.ranges import disjoint, known, settled, within

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from agent.blocks import Loss
    from agent.fleet.collecting.ranges import Place, Range
    from agent.fleet.collecting.sql import Sql

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

_MOST_RANGES = 4096
"""Ranges that one batch makes us look at; an honest device has some dozens."""
_WHERE = "device = ? AND stream = ? AND epoch = ?"


class Gap(NamedTuple):
    """Records ``first`` to ``last`` are not here, and will not come."""

    first: int
    last: int
    reason: str
    from_ns: int | None
    to_ns: int | None
    declared_ns: int


def declare(db: Sql, place: Place, losses: Sequence[Loss], now_ns: int) -> None:
    """Note what a device says is lost, as far as it is not here; a range that was noted keeps its reason.

    Args:
        db: inside a transaction.
        place: whose numbers.
        losses: in order.
        now_ns: the wall time.
    """
    found: list[Gap] = []
    spare = _MOST_RANGES
    for together in _adjacent(losses):
        there = known(db, place, together[0].first, together[-1].last, spare)
        spare -= len(there)
        if spare <= 0:  # it tells the rest again
            break
        for loss in together:
            parts = _missing(there, loss.first, loss.last)
            found += [Gap(a, b, loss.reason, loss.from_ns, loss.to_ns, now_ns) for a, b in parts]
    _add(db, place, found)


def _adjacent(losses: Sequence[Loss]) -> list[list[Loss]]:
    """Losses that touch, together."""
    groups: list[list[Loss]] = []
    for loss in losses:
        if groups and groups[-1][-1].last + 1 == loss.first:
            groups[-1].append(loss)
        else:
            groups.append([loss])
    return groups


def below(db: Sql, place: Place, low: int, now_ns: int) -> None:
    """Note what lies below ``low`` and is neither here nor known to be lost."""
    first, last = settled(db, place), low - 1
    if first <= last:
        there = known(db, place, first, last, _MOST_RANGES)
        if len(there) == _MOST_RANGES:
            last = there[-1][1]
        parts = _missing(there, first, last)
        _add(db, place, [Gap(a, b, ELSEWHERE, None, None, now_ns) for a, b in parts])


def fill(db: Sql, place: Place, first: int, last: int) -> None:
    """Records that were thought lost have come after all: cut them out of the gaps."""
    for gap in overlapping(db, place, first, last):
        db.execute(f"DELETE FROM gaps WHERE {_WHERE} AND first = ?", (*place, gap.first))  # noqa: S608
        rest = ((gap.first, first - 1), (last + 1, gap.last))
        _add(db, place, [gap._replace(first=a, last=b) for a, b in rest if a <= b])


def overlapping(db: Sql, place: Place, first: int, last: int) -> list[Gap]:
    """The gaps that share records with a range, in order."""
    query = disjoint("gaps", "first, last, reason, from_ns, to_ns, declared_ns")
    return [Gap(*row) for row in db.execute(f"{query} ORDER BY first", within(place, first, last))]


def _missing(there: Sequence[Range], first: int, last: int) -> list[Range]:
    """The parts of a range that lie between those."""
    parts = []
    for a, b in there:
        if a > last:
            break
        if first < a:
            parts.append((first, a - 1))
        first = max(first, b + 1)
    if first <= last:
        parts.append((first, last))
    return parts


def _add(db: Sql, place: Place, found: Iterable[Gap]) -> None:
    db.executemany("INSERT INTO gaps VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", [(*place, *gap) for gap in found])
