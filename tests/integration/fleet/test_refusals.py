"""What a database refuses goes aside or is tried again; the collector goes on, or says why not."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from agent.blocks import Block, Lease, pack
from agent.errors import AgentError, FolderUnusable, StoreBusy
from agent.fleet.collecting import postgres
from agent.fleet.collecting.databases import open_warehouse, reading
from agent.fleet.collecting.incoming import Incoming

if TYPE_CHECKING:
    from tests.simulators.postgres import Server

EPOCH = "0123456789abcdef"


def rows(url: str, query: str) -> list[Any]:
    with reading(url) as db:
        return [tuple(row) for row in db.execute(query).fetchall()]


def result(**others: Any) -> Incoming:
    block = Block(1, 1, pack([{"kind": "detection", "wall_ns": 1, **others}], {"gate": {}}))
    return Incoming("cam-1", Lease(EPOCH, 1, (block,), live=True))


def test_what_is_true_or_false_is_no_number(url: str) -> None:
    metrics = Block(1, 1, pack([{"items": [{"name": "x", "count": True, "value": False}]}], {}))
    with open_warehouse(url) as warehouse:
        warehouse.store([result(frame=True, wall_ns=False)])
        warehouse.store([Incoming("cam-1", Lease(EPOCH, 1, (metrics,), live=True, stream="metric"))])
        assert warehouse.unpack().bad == []
    assert rows(url, "SELECT frame, wall_ns FROM results") == [(None, None)]
    assert rows(url, "SELECT name, count, value FROM metrics") == [("x", None, None)]


def store_what_is_refused(url: str, change: str, *, fresh: bool) -> None:
    """Have a table refuse one of two blocks, and look at what is there then."""
    odd = Block(1, 1, pack([{"kind": "detection", "wall_ns": 1}], {"longer": {}, "other": {}}))
    plain = Block(2, 2, pack([{"wall_ns": 1}, {}], {}))
    with open_warehouse(url) as warehouse:
        warehouse._db.execute(change)
        warehouse.store([Incoming("cam-1", Lease(EPOCH, 1, (odd, plain), live=True), fresh)])
        warehouse.unpack()
    assert rows(url, "SELECT seq FROM records ORDER BY 1") == [(2,), (3,)]
    assert rows(url, "SELECT count(*) FROM ledgers") == [(0,)]
    assert rows(url, "SELECT first FROM bad_blocks") == [(1,)]


@pytest.mark.parametrize("fresh", [False, True])
def test_a_block_of_which_one_table_refuses_a_row_leaves_none_in_the_others(url: str, *, fresh: bool) -> None:
    store_what_is_refused(url, "CREATE UNIQUE INDEX one ON ledgers (device)", fresh=fresh)


@pytest.mark.postgresql
@pytest.mark.parametrize("column", ["pipeline TYPE varchar(4)", "as_of_seq TYPE bytea USING ''"])
def test_a_block_with_a_value_that_a_column_refuses_is_bad_and_ends_nobody(
    postgresql: Server, column: str
) -> None:
    change = f"ALTER TABLE ledgers ALTER COLUMN {column}"
    store_what_is_refused(postgresql.url(), change, fresh=False)


@pytest.mark.postgresql
@pytest.mark.parametrize(
    "theirs",
    [
        "CREATE TABLE records (n integer)",
        "CREATE TABLE schema_version (version text)",
        "CREATE TABLE schema_version (number integer)",
        "CREATE TABLE schema_version AS SELECT 3 AS version",
        "CREATE TABLE schema_version AS SELECT 4 AS version",
    ],
)
def test_a_database_with_tables_of_somebody_else_is_refused_and_stays_as_it_is(
    postgresql: Server, theirs: str
) -> None:
    url = postgresql.url()
    tables = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
    with closing(postgres.Postgres(url)) as db:
        db.execute(theirs)
        before = db.execute(tables).fetchall()
        with pytest.raises(FolderUnusable, match="its tables are not ours"):
            open_warehouse(url)
        assert db.execute(tables).fetchall() == before
    with pytest.raises(AgentError):
        rows(url, "SELECT seq FROM results")


@pytest.mark.postgresql
def test_a_table_that_somebody_takes_away_is_waited_for(postgresql: Server) -> None:
    with open_warehouse(postgresql.url()) as warehouse:
        warehouse.store([result()])
        warehouse._db.execute("ALTER TABLE ledgers RENAME TO away")
        with pytest.raises(StoreBusy, match="See who has changed its tables"):
            warehouse.unpack()
        warehouse._db.execute("ALTER TABLE away RENAME TO ledgers")
        done = warehouse.unpack()
        assert (done.records, done.bad) == (1, [])
