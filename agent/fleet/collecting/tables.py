"""The tables and views of the collector's SQLite file, and how an older file becomes one of today.

What came as a record stands in ``records``, and people ask ``results`` and ``events``, which are views of it:
so an upgrade moves no rows, however large the file is. ``postgres_tables.py`` has the same names.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

from agent.fleet.collecting import gaps, history, ranges
from agent.sqlite import Format, refusals, transaction

if TYPE_CHECKING:
    from pathlib import Path

OWN_KINDS = "'ledger', 'event', 'metrics'"
"""Kinds of records that the agent makes of itself: no results."""
_DEVICES = """
    CREATE TABLE devices (
        device TEXT PRIMARY KEY, first_seen_ns INTEGER NOT NULL, last_seen_ns INTEGER NOT NULL,
        online INTEGER, version TEXT, state_ns INTEGER
    ) STRICT, WITHOUT ROWID
"""
_RECORDS = """
    CREATE TABLE records (
        device TEXT, stream TEXT, epoch TEXT, seq INTEGER,
        pipeline TEXT, frame INTEGER, wall_ns INTEGER, kind TEXT, body TEXT NOT NULL, synced INTEGER,
        PRIMARY KEY (device, stream, epoch, seq)
    ) STRICT, WITHOUT ROWID
"""
_LEDGERS = """
    CREATE TABLE ledgers (
        device TEXT, stream TEXT, epoch TEXT, pipeline TEXT, as_of_seq INTEGER NOT NULL,
        counts TEXT NOT NULL, PRIMARY KEY (device, stream, epoch, pipeline)
    ) STRICT, WITHOUT ROWID
"""
_UNPACKED = (
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
        max REAL, synced INTEGER, buckets TEXT,
        PRIMARY KEY (device, epoch, seq, item)
    ) STRICT, WITHOUT ROWID
    """,
)
_DATED = (
    ("results", "wall_ns"),
    ("events", "wall_ns"),
    ("metrics", "wall_ns"),
    ("ledger", "wall_ns"),
    ("gaps", "from_ns"),
)


def _dated(table: str, column: str) -> str:
    return (
        f"CREATE VIEW {table}_utc AS "  # noqa: S608
        f"SELECT strftime('%Y-%m-%dT%H:%M:%fZ', {column} / 1e9, 'unixepoch') AS time, * FROM {table}"
    )


_VIEWS = (
    f"""
    CREATE VIEW results AS
    SELECT device, stream, epoch, seq, pipeline, frame, wall_ns, synced, kind, body FROM records
    WHERE kind IS NULL OR kind NOT IN ({OWN_KINDS})
    """,  # noqa: S608
    """
    CREATE VIEW events AS
    SELECT device, stream, epoch, seq, wall_ns, synced, json_extract(body, '$.event') AS event,
        json_extract(body, '$.level') AS level, json_extract(body, '$.subject') AS subject,
        json_extract(body, '$.items[0]') AS details, json_extract(body, '$.suppressed') AS suppressed
    FROM records WHERE kind = 'event'
    """,
    *(_dated(table, column) for table, column in _DATED),
)
_RULE_EVENTS = (
    f"""
    CREATE VIEW rule_events AS
    SELECT device, stream, epoch, seq, CAST(one.key AS INTEGER) AS n, pipeline, frame, wall_ns, synced,
        json_extract(one.value, '$.event') AS event, json_extract(one.value, '$.label') AS label,
        CASE json_type(one.value, '$.track') WHEN 'integer' THEN json_extract(one.value, '$.track') END
            AS track,
        json_extract(one.value, '$.zone') AS zone, json_extract(one.value, '$.line') AS line,
        one.value AS body
    FROM records, json_each(records.body, '$.events') AS one
    WHERE (kind IS NULL OR kind NOT IN ({OWN_KINDS}))
        AND json_type(records.body, '$.events') = 'array' AND one.type = 'object'
    """,  # noqa: S608
    _dated("rule_events", "wall_ns"),
)
"""What version 5 has over 4."""

FORMAT = Format(
    kind=int.from_bytes(b"EAwh"),
    version=5,
    schema=(
        _DEVICES,
        _RECORDS,
        _LEDGERS,
        *ranges.SCHEMA,
        *gaps.SCHEMA,
        *history.SCHEMA,
        *_UNPACKED,
        *_VIEWS,
        *_RULE_EVENTS,
    ),
    foreign="Name another file",
    older="Let edgectl collect start with it once, which brings it up to date",
    newer="Install the edgectl that wrote it, or a newer one",
    damaged="Keep it: devices have deleted what is in it. Put back a copy, or read what is left with: "
    "sqlite3 FILE .recover",
)

_UP_TO_4 = (
    "ALTER TABLE results RENAME TO records",
    "ALTER TABLE records ADD COLUMN synced INTEGER",
    "ALTER TABLE devices ADD COLUMN online INTEGER",
    "ALTER TABLE devices ADD COLUMN version TEXT",
    "ALTER TABLE devices ADD COLUMN state_ns INTEGER",
)
_METRICS_UP_TO_4 = (
    "ALTER TABLE metrics ADD COLUMN synced INTEGER",
    "ALTER TABLE metrics ADD COLUMN buckets TEXT",
)


def upgrade(path: Path) -> None:
    """Bring an older file up to today's version, in one transaction; one of today, or none, stays as it is.

    Version 1 had no gaps and only the newest ledgers; 2 unpacked at once; 3 had events among the results;
    4 had no view of what filters notice.
    A file of somebody else is left alone: ``open_database`` refuses it.

    Raises:
        StoreBusy: the disk refuses for now; nothing has changed.
        FileDamaged: it is no database.
    """
    if not path.exists():
        return
    to_file = f"{path.absolute().as_uri()}?mode=rw"
    with (
        refusals("open", path, damaged=FORMAT.damaged),
        closing(sqlite3.connect(to_file, uri=True, isolation_level=None)) as db,
    ):
        if not _steps(db):
            return
        db.execute("PRAGMA synchronous=FULL")
        with transaction(db):
            for statement in _steps(db):  # none when another collector was faster
                db.execute(statement)
            db.execute(f"PRAGMA user_version={FORMAT.version}")


def _steps(db: sqlite3.Connection) -> tuple[str, ...]:
    if db.execute("PRAGMA application_id").fetchone()[0] != FORMAT.kind:
        return ()
    found = db.execute("PRAGMA user_version").fetchone()[0]
    if found == 3:
        dropped = tuple(f"DROP VIEW {table}_utc" for table in ("results", "metrics", "ledger", "gaps"))
        return (*dropped, *_UP_TO_4, *_METRICS_UP_TO_4, *_VIEWS, *_RULE_EVENTS)
    if found == 4:
        return _RULE_EVENTS
    earlier = (*gaps.SCHEMA, *history.SCHEMA) if found == 1 else ()
    return (*earlier, *_UP_TO_4, *_UNPACKED, *_VIEWS, *_RULE_EVENTS) if found in (1, 2) else ()
