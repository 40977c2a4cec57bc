"""What the collector knows to be lost: told by devices, or seen by what they have delivered elsewhere."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from agent.blocks import Lease, Loss
from agent.fleet.collecting.incoming import Incoming
from agent.fleet.collecting.ranges import Watermark
from agent.fleet.collecting.warehouse import Warehouse
from tests.simulators.batches import EPOCH, batch
from tests.simulators.clocks import ManualClock

if TYPE_CHECKING:
    from pathlib import Path


def rows(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


def gaps(path: Path) -> list[tuple[int, int, str]]:
    found: list[tuple[int, int, str]] = rows(path, "SELECT first, last, reason FROM gaps ORDER BY first")
    return found


def test_what_a_device_declares_as_lost_is_kept_with_its_reason_and_passed_over(
    warehouse: Warehouse, path: Path
) -> None:
    lost = (Loss(4, 6, "damaged"), Loss(8, 8, "oversized", 5, 6))
    [stored] = warehouse.store([batch((1, 3), (7, 7), low=1)])
    assert stored.watermark is not None
    assert stored.watermark.upto == 3
    [stored] = warehouse.store([batch((9, 10), low=1, lost=lost)])
    assert stored.watermark is not None
    assert stored.watermark.upto == 10
    assert gaps(path) == [(4, 6, "damaged"), (8, 8, "oversized")]
    assert rows(path, "SELECT from_ns, to_ns FROM gaps WHERE first = 8") == [(5, 6)]


def test_a_declaration_without_records_completes_an_epoch(warehouse: Warehouse, path: Path) -> None:
    gone = Lease(EPOCH, 41, (), live=False, lost=(Loss(1, 40, "evicted"),), declared=40)
    [stored] = warehouse.store([Incoming("cam-1", gone)])
    assert (stored.new, stored.watermark) == (0, Watermark(40, ()))
    assert gaps(path) == [(1, 40, "evicted")]


def test_a_restored_database_sees_what_was_delivered_elsewhere_and_takes_all_that_is_new(path: Path) -> None:
    with Warehouse(path, clock=ManualClock()) as before:
        before.store([batch((1, 10))])
    shutil.copy(path, path.with_name("backup.db"))
    with Warehouse(path, clock=ManualClock()) as before:
        before.store([batch((11, 30))])
    shutil.copy(path.with_name("backup.db"), path)
    with Warehouse(path, clock=ManualClock()) as restored:
        assert restored.watermarks("cam-1") == {"result": {EPOCH: Watermark(10, ())}}
        [stored] = restored.store([batch((31, 40), low=31)])  # the device has deleted what was acknowledged
        assert (stored.new, stored.duplicate, stored.watermark) == (10, 0, Watermark(40, ()))
    assert gaps(path) == [(11, 30, "delivered_elsewhere")]


def test_a_gap_that_is_filled_after_all_is_none(warehouse: Warehouse, path: Path) -> None:
    warehouse.store([batch((31, 40), low=31)])
    warehouse.store([batch((11, 20))])
    assert gaps(path) == [(1, 10, "delivered_elsewhere"), (21, 30, "delivered_elsewhere")]
    warehouse.store([batch((1, 10), (21, 30))])
    assert gaps(path) == []


def as_before(path: Path, version: int) -> None:
    """Make of a file what an earlier release would have made."""
    if version == 4:
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            for statement in ("DROP VIEW rule_events", "DROP VIEW rule_events_utc", "PRAGMA user_version=4"):
                db.execute(statement)
        return
    since = {1: ["gaps", "ledger"], 2: ["raw", "bad_blocks", "metrics"]}
    added = {"records": ["synced"], "devices": ["online", "version", "state_ns"]}
    added |= {"metrics": ["synced", "buckets"]} if version == 3 else {}
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        for (view,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'view'").fetchall():
            db.execute(f"DROP VIEW {view}")
        for table in [name for earlier in range(version, 3) for name in since[earlier]]:
            db.execute(f"DROP TABLE {table}")
        for table, columns in added.items():
            for column in columns:
                db.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
        db.execute("ALTER TABLE records RENAME TO results")
        for table in ("results", "metrics", "ledger", "gaps") if version == 3 else ():
            db.execute(f"CREATE VIEW {table}_utc AS SELECT * FROM {table}")  # noqa: S608
        db.execute(f"PRAGMA user_version={version}")


def shape(path: Path) -> list[tuple[str, str]]:
    columns = "SELECT group_concat(name) FROM pragma_table_info(s.name)"
    found: list[tuple[str, str]] = rows(path, f"SELECT name, ({columns}) FROM sqlite_schema s ORDER BY 1")  # noqa: S608
    return found


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_a_database_of_an_earlier_version_is_brought_up(path: Path, version: int) -> None:
    with Warehouse(path, clock=ManualClock()) as made:
        made.store([batch((1, 10))])
        made.unpack()
    today = shape(path)
    as_before(path, version)
    with Warehouse(path, clock=ManualClock()) as again:
        [stored] = again.store([batch((15, 20), low=15)])
        assert stored.watermark == Watermark(20, ())
        assert again.unpack().behind == 0
    assert gaps(path) == [(11, 14, "delivered_elsewhere")]
    assert rows(path, "SELECT count(*), min(seq), max(seq) FROM results_utc") == [(16, 1, 20)]
    assert shape(path) == today


def test_however_many_gaps_an_epoch_has_a_batch_costs_no_more(warehouse: Warehouse) -> None:
    def cost(number: int, *, low: int = 1) -> int:
        """How many thousand steps SQLite takes for a batch of 64 losses that do not merge."""
        first = number * 64 + 1
        lost = tuple(Loss(n, n, "evicted" if n % 2 else "damaged") for n in range(first, first + 64))
        steps: list[None] = []
        warehouse._db.set_progress_handler(lambda: steps.append(None), 1000)
        told = Lease(EPOCH, low, (), live=True, lost=lost, declared=first + 63)
        assert warehouse.store([Incoming("cam-1", told)])[0].watermark == Watermark(first + 63, ())
        warehouse._db.set_progress_handler(None, 0)
        return len(steps)

    early = [cost(number) for number in range(20)]
    for number in range(20, 100):
        cost(number)
    assert cost(100) <= 2 * max(early[1:])
    assert cost(101, low=100 * 64) <= 2 * max(early[1:])
    assert cost(101) <= max(early)
