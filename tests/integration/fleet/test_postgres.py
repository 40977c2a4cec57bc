"""What only a server can do to a collector: go away, be used by others, and hold tables of somebody else."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from agent.blocks import Block, Lease, pack
from agent.errors import AgentError, FolderUnusable, StoreBusy
from agent.fleet import postgres
from agent.fleet.databases import open_warehouse, reading
from agent.fleet.incoming import Incoming
from agent.fleet.ranges import Watermark
from tests.simulators.postgres import PASSWORD

if TYPE_CHECKING:
    from tests.simulators.postgres import Server

EPOCH = "0123456789abcdef"


def batch(first: int, last: int) -> Incoming:
    records = [{"pipeline": "gate", "frame": seq} for seq in range(first, last + 1)]
    block = Block(first, len(records), pack(records, {"gate": {"captured": last}}))
    return Incoming("cam-1", Lease(EPOCH, 1, (block,), live=True))


def rows(url: str, query: str) -> list[Any]:
    with reading(url) as db:
        return [tuple(row) for row in db.execute(query).fetchall()]


@pytest.mark.postgresql
def test_a_server_that_goes_away_is_waited_for_and_nothing_is_half_stored(postgresql: Server) -> None:
    url = postgresql.url()
    with open_warehouse(url) as warehouse:
        warehouse.store([batch(1, 5)])
        postgresql.restart()
        with pytest.raises(StoreBusy) as refused:
            warehouse.store([batch(6, 9)])
        assert PASSWORD not in str(refused.value)
        [stored] = warehouse.store([batch(6, 9)])
        assert (stored.new, stored.watermark) == (4, Watermark(9, ()))


@pytest.mark.postgresql
def test_two_that_start_at_once_make_the_tables_once_and_a_newer_one_is_left_alone(
    postgresql: Server,
) -> None:
    url = postgresql.url()
    threads = [threading.Thread(target=lambda: open_warehouse(url).close()) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert rows(url, "SELECT version FROM schema_version") == [(4,)]
    with open_warehouse(url) as one:
        one._db.execute("INSERT INTO schema_version VALUES (5)")
    with pytest.raises(AgentError, match="its format is version 5"):
        open_warehouse(url)


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
        warehouse.store([batch(1, 2)])
        warehouse._db.execute("ALTER TABLE ledgers RENAME TO away")
        with pytest.raises(StoreBusy, match="See who has changed its tables"):
            warehouse.unpack()
        warehouse._db.execute("ALTER TABLE away RENAME TO ledgers")
        done = warehouse.unpack()
        assert (done.records, done.bad) == (2, [])
