"""The frame ledgers of a fleet over time, thinned to one of each pipeline and minute."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agent.fleet.collecting.sql import Sql

_MINUTE_NS = 60 * 1_000_000_000

SCHEMA = (
    """
    CREATE TABLE ledger (
        device TEXT, stream TEXT, epoch TEXT, pipeline TEXT, minute INTEGER,
        as_of_seq INTEGER NOT NULL, wall_ns INTEGER NOT NULL, counts TEXT NOT NULL,
        PRIMARY KEY (device, stream, epoch, pipeline, minute)
    ) STRICT, WITHOUT ROWID
    """,
)

_KEEP = """
    INSERT INTO ledger VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (device, stream, epoch, pipeline, minute) DO UPDATE SET
        as_of_seq = excluded.as_of_seq, wall_ns = excluded.wall_ns, counts = excluded.counts
    WHERE excluded.as_of_seq > ledger.as_of_seq
"""


def keep(db: Sql, rows: Iterable[tuple[Any, ...]], wall_ns: int | None) -> None:
    """Keep ledgers as of a moment, in the caller's transaction; of each minute the last one stays.

    Args:
        db: the collector's database.
        rows: device, stream, epoch, pipeline, sequence number, counts as JSON.
        wall_ns: when the record of that number was made, by the device's clock; None: nobody knows.
    """
    if wall_ns is None:
        return
    minute = wall_ns // _MINUTE_NS
    db.executemany(_KEEP, [(*row[:4], minute, row[4], wall_ns, row[5]) for row in rows])
