"""The tables of the collector in PostgreSQL, as numbered migrations; the names are those of ``tables.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.errors import FolderUnusable
from agent.fleet.collecting.tables import OWN_KINDS

if TYPE_CHECKING:
    from agent.fleet.collecting.sql import Sql

_LOCK = int.from_bytes(b"EAwh")
"""The advisory lock under which migrations run: collectors may start at the same time."""

_TABLES = (
    """
    CREATE TABLE devices (
        device TEXT COLLATE "C" PRIMARY KEY, first_seen_ns BIGINT NOT NULL, last_seen_ns BIGINT NOT NULL,
        online BOOLEAN, version TEXT, state_ns BIGINT
    ) WITH (fillfactor = 50)
    """,  # dated in each transaction: the room lets a row change in its page
    """
    CREATE TABLE records (
        device TEXT, stream TEXT, epoch TEXT, seq BIGINT,
        pipeline TEXT, frame BIGINT, wall_ns BIGINT, kind TEXT, body JSONB NOT NULL, synced BOOLEAN,
        PRIMARY KEY (device, stream, epoch, seq)
    )
    """,
    "CREATE INDEX records_by_time ON records USING brin (wall_ns)",
    """
    CREATE TABLE ledgers (
        device TEXT, stream TEXT, epoch TEXT, pipeline TEXT, as_of_seq BIGINT NOT NULL,
        counts JSONB NOT NULL, PRIMARY KEY (device, stream, epoch, pipeline)
    )
    """,
    """
    CREATE TABLE ledger (
        device TEXT, stream TEXT, epoch TEXT, pipeline TEXT, minute BIGINT,
        as_of_seq BIGINT NOT NULL, wall_ns BIGINT NOT NULL, counts JSONB NOT NULL,
        PRIMARY KEY (device, stream, epoch, pipeline, minute)
    )
    """,
    """
    CREATE TABLE have (
        device TEXT, stream TEXT, epoch TEXT, first BIGINT, last BIGINT NOT NULL,
        PRIMARY KEY (device, stream, epoch, first)
    )
    """,
    """
    CREATE TABLE epochs (
        device TEXT, stream TEXT, epoch TEXT, low BIGINT NOT NULL, live INTEGER NOT NULL,
        touched BIGINT NOT NULL, PRIMARY KEY (device, stream, epoch)
    )
    """,
    "CREATE INDEX epochs_by_touch ON epochs (device, stream, touched)",
    """
    CREATE TABLE gaps (
        device TEXT, stream TEXT, epoch TEXT, first BIGINT, last BIGINT NOT NULL, reason TEXT NOT NULL,
        from_ns BIGINT, to_ns BIGINT, declared_ns BIGINT NOT NULL,
        PRIMARY KEY (device, stream, epoch, first)
    )
    """,
    """
    CREATE TABLE raw (
        n BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, device TEXT NOT NULL, stream TEXT NOT NULL,
        epoch TEXT NOT NULL, first BIGINT NOT NULL, count BIGINT NOT NULL, data BYTEA NOT NULL
    )
    """,
    """
    CREATE TABLE bad_blocks (
        device TEXT, stream TEXT, epoch TEXT, first BIGINT, count BIGINT NOT NULL, reason TEXT NOT NULL,
        found_ns BIGINT NOT NULL, data BYTEA NOT NULL, PRIMARY KEY (device, stream, epoch, first)
    )
    """,
    """
    CREATE TABLE metrics (
        device TEXT, epoch TEXT, seq BIGINT, item BIGINT, wall_ns BIGINT, pipeline TEXT, name TEXT, type TEXT,
        value DOUBLE PRECISION, count BIGINT, sum DOUBLE PRECISION, p50 DOUBLE PRECISION,
        p95 DOUBLE PRECISION, p99 DOUBLE PRECISION, p999 DOUBLE PRECISION,
        max DOUBLE PRECISION, synced BOOLEAN, buckets JSONB,
        PRIMARY KEY (device, epoch, seq, item)
    )
    """,
    f"""
    CREATE VIEW results AS
    SELECT device, stream, epoch, seq, pipeline, frame, wall_ns, synced, kind, body FROM records
    WHERE kind IS NULL OR kind NOT IN ({OWN_KINDS})
    """,  # noqa: S608
    """
    CREATE VIEW events AS
    SELECT device, stream, epoch, seq, wall_ns, synced, body->>'event' AS event, body->>'level' AS level,
        body->>'subject' AS subject, body->'items'->0 AS details, body->'suppressed' AS suppressed
    FROM records WHERE kind = 'event'
    """,
    *(
        f"CREATE VIEW {table}_utc AS SELECT to_timestamp({column} / 1e9) AS time, * FROM {table}"  # noqa: S608
        for table, column in (
            ("results", "wall_ns"),
            ("events", "wall_ns"),
            ("metrics", "wall_ns"),
            ("ledger", "wall_ns"),
            ("gaps", "from_ns"),
        )
    ),
)

_RULE_EVENTS = (
    f"""
    CREATE VIEW rule_events AS
    SELECT device, stream, epoch, seq, (at - 1)::integer AS n, pipeline, frame, wall_ns, synced,
        one->>'event' AS event, one->>'label' AS label,
        CASE WHEN one->>'track' ~ '^[0-9]{{1,18}}$' THEN (one->>'track')::bigint END AS track,
        one->>'zone' AS zone, one->>'line' AS line, one AS body
    FROM records, jsonb_array_elements(
        CASE jsonb_typeof(records.body->'events') WHEN 'array' THEN records.body->'events' ELSE '[]' END
    ) WITH ORDINALITY AS found (one, at)
    WHERE (kind IS NULL OR kind NOT IN ({OWN_KINDS})) AND jsonb_typeof(one) = 'object'
    """,  # noqa: S608
    "CREATE VIEW rule_events_utc AS SELECT to_timestamp(wall_ns / 1e9) AS time, * FROM rule_events",
)

MIGRATIONS = {4: _TABLES, 5: _RULE_EVENTS}
"""What makes each version of the one before it; numbered as the SQLite file's versions are."""

NEWEST = max(MIGRATIONS)


NOT_OURS = "Give the collector a database or a schema of its own: nothing was changed in this one"


def upgrade(db: Sql, subject: str) -> None:
    """Make the tables, or bring them up to today's version, inside the caller's transaction.

    Args:
        db: the database.
        subject: what to call it in an error.

    Raises:
        FolderUnusable: a newer collector made them, or somebody else.
    """
    db.execute("SELECT pg_advisory_xact_lock(?)", (_LOCK,))
    db.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
    (found,) = db.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchone()
    if found > NEWEST:
        problem = f"its format is version {found}, this collector reads version {NEWEST}"
        raise FolderUnusable("open", subject, problem, "Install the edgectl that wrote it, or a newer one")
    (there,) = db.execute("SELECT to_regclass('bad_blocks') IS NOT NULL").fetchone()
    if there != bool(found):
        raise FolderUnusable("open", subject, "its tables are not ours", NOT_OURS)
    for version in sorted(MIGRATIONS):
        if version > found:
            for statement in MIGRATIONS[version]:
                db.execute(statement)
            db.execute("INSERT INTO schema_version VALUES (?)", (version,))
