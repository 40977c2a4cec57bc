from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from agent.blocks import Block, Lease, pack
from agent.errors import FileDamaged, FolderUnusable, StoreBusy
from agent.fleet.collecting.databases import reading
from agent.fleet.collecting.incoming import Incoming, Stored
from agent.fleet.collecting.ranges import Watermark
from agent.fleet.collecting.warehouse import Warehouse
from tests.simulators.batches import EPOCH, batch, record
from tests.simulators.clocks import ManualClock

if TYPE_CHECKING:
    from pathlib import Path


def unpack(warehouse: Warehouse) -> None:
    while warehouse.unpack().behind:
        pass


def rows(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchall()


def test_results_become_rows_with_their_whole_body(warehouse: Warehouse, path: Path) -> None:
    incoming = batch((1, 2))
    assert warehouse.store([incoming]) == [Stored(incoming, 2, 0, Watermark(2, ()))]
    unpack(warehouse)
    found = rows(path, "SELECT device, stream, epoch, seq, pipeline, frame, wall_ns, kind, body FROM results")
    assert [row[:8] for row in found] == [
        ("cam-1", "result", EPOCH, seq, "gate", seq * 2, seq * 1000, "classification") for seq in (1, 2)
    ]
    assert [json.loads(row[8]) for row in found] == [record(1), record(2)]


def test_what_is_there_already_is_counted_and_ignored(warehouse: Warehouse, path: Path) -> None:
    warehouse.store([batch((1, 4))])
    [again] = warehouse.store([batch((3, 6))])
    assert (again.new, again.duplicate, again.watermark) == (2, 2, Watermark(6, ()))
    unpack(warehouse)
    assert rows(path, "SELECT count(*) FROM results") == [(6,)]


def test_the_watermark_waits_for_a_gap_and_tells_what_lies_above(warehouse: Warehouse) -> None:
    [stored] = warehouse.store([batch((1, 2), (5, 6), (9, 9))])
    assert stored.watermark == Watermark(2, ((5, 6), (9, 9)))
    [stored] = warehouse.store([batch((3, 4))])
    assert stored.watermark == Watermark(6, ((9, 9),))


def test_nothing_is_acknowledged_before_the_first_record_is_there(warehouse: Warehouse) -> None:
    [stored] = warehouse.store([batch((2, 3))])
    assert stored.watermark == Watermark(0, ((2, 3),))


def test_a_gap_that_the_device_declares_does_not_hold_up_the_rest(warehouse: Warehouse) -> None:
    warehouse.store([batch((1, 2))])
    [stored] = warehouse.store([batch((10, 12), low=10)])
    assert stored.watermark == Watermark(12, ())


def test_a_declared_gap_is_acknowledged_up_to_its_end(warehouse: Warehouse) -> None:
    [stored] = warehouse.store([batch((10, 12), low=5)])
    assert stored.watermark == Watermark(4, ((10, 12),))


def test_an_old_batch_does_not_take_a_declaration_back(warehouse: Warehouse) -> None:
    warehouse.store([batch((10, 12), low=10, live=False)])
    [stored] = warehouse.store([batch((2, 3), low=1, live=True)])
    assert stored.watermark == Watermark(12, ())


def test_a_closed_epoch_stays_closed(warehouse: Warehouse, path: Path) -> None:
    warehouse.store([batch((1, 1), live=False), batch((1, 1), live=True)])
    assert rows(path, "SELECT live FROM epochs") == [(0,)]


def test_both_of_two_batches_of_one_epoch_get_what_both_complete(warehouse: Warehouse) -> None:
    assert [stored.watermark for stored in warehouse.store([batch((3, 4)), batch((1, 2))])] == [
        Watermark(4, ()),
        Watermark(4, ()),
    ]


def test_at_most_32_ranges_are_told(warehouse: Warehouse) -> None:
    [stored] = warehouse.store([batch(*((seq, seq) for seq in range(2, 102, 2)))])
    assert stored.watermark == Watermark(0, tuple((seq, seq) for seq in range(2, 66, 2)))


def test_devices_streams_and_epochs_do_not_mix(warehouse: Warehouse, path: Path) -> None:
    others = [
        batch((1, 2)),
        batch((1, 3), device="cam-2"),
        batch((1, 4), stream="alert"),
        batch((2, 5), epoch="f" * 16),
    ]
    assert [stored.watermark for stored in warehouse.store(others)] == [
        Watermark(2, ()),
        Watermark(3, ()),
        Watermark(4, ()),
        Watermark(0, ((2, 5),)),
    ]
    assert warehouse.devices() == ["cam-1", "cam-2"]
    unpack(warehouse)
    assert rows(path, "SELECT count(*) FROM results") == [(13,)]
    assert warehouse.watermarks("cam-1") == {
        "alert": {EPOCH: Watermark(4, ())},
        "result": {EPOCH: Watermark(2, ()), "f" * 16: Watermark(0, ((2, 5),))},
    }
    assert warehouse.watermarks("cam-9") == {}


def test_the_newest_ledger_wins_whatever_comes_last(warehouse: Warehouse, path: Path) -> None:
    warehouse.store([batch((5, 6))])
    warehouse.store([batch((1, 2)), batch((3, 4))])
    unpack(warehouse)
    assert rows(path, "SELECT device, stream, epoch, pipeline, as_of_seq, counts FROM ledgers") == [
        ("cam-1", "result", EPOCH, "gate", 6, '{"captured":6}')
    ]


def test_the_epochs_that_a_device_sent_last_are_told(warehouse: Warehouse) -> None:
    names = [f"{number:016x}" for number in range(12)]
    for name in names:
        warehouse.store([batch((1, 1), epoch=name)])
    warehouse.store([batch((1, 1), epoch=names[0])])  # a duplicate: the device missed our answer
    assert list(warehouse.watermarks("cam-1")["result"]) == [names[0], *reversed(names[5:])]


def test_devices_are_dated(path: Path) -> None:
    clock = ManualClock(wall=5)
    with Warehouse(path, clock=clock) as warehouse:
        warehouse.store([batch((1, 1))])
        clock.wall = 9
        warehouse.store([batch((1, 1))])
    assert rows(path, "SELECT * FROM devices") == [("cam-1", 5, 9, None, None, None)]


def test_columns_of_the_wrong_type_stay_empty_and_the_body_is_kept(warehouse: Warehouse, path: Path) -> None:
    odd = {"kind": 7, "pipeline": ["x"], "frame": "12", "wall_ns": 2**64 - 1}
    warehouse.store([Incoming("cam-1", Lease(EPOCH, 1, (Block(1, 1, pack([odd], {})),), live=True))])
    unpack(warehouse)
    [row] = rows(path, "SELECT pipeline, frame, wall_ns, kind, body FROM results")
    assert row[:4] == (None, None, None, None)
    assert json.loads(row[4]) == odd


def test_a_refusal_of_the_disk_stores_nothing_at_all(warehouse: Warehouse, path: Path) -> None:
    warehouse.store([batch((1, 2))])
    [pages] = warehouse._db.execute("PRAGMA page_count").fetchone()
    warehouse._db.execute(f"PRAGMA max_page_count={pages + 4}")
    with pytest.raises(StoreBusy, match="the disk is full"):
        warehouse.store([batch((3, 4)), batch((5, 9000), device="cam-2")])
    unpack(warehouse)
    assert rows(path, "SELECT max(seq), count(*) FROM results") == [(2, 2)]
    assert warehouse.watermarks("cam-1") == {"result": {EPOCH: Watermark(2, ())}}
    warehouse._db.execute("PRAGMA max_page_count=100000")
    assert [one.new for one in warehouse.store([batch((3, 4)), batch((5, 9000), device="cam-2")])] == [
        2,
        8996,
    ]


def test_what_was_acknowledged_is_there_after_reopening(path: Path) -> None:
    with Warehouse(path) as warehouse:
        warehouse.store([batch((1, 5), (8, 9))])
    with Warehouse(path) as warehouse:
        assert warehouse.watermarks("cam-1") == {"result": {EPOCH: Watermark(5, ((8, 9),))}}
        assert [one.new for one in warehouse.store([batch((1, 9))])] == [2]


@pytest.mark.parametrize("version", [0, 1, 2, 3, 4, 7])
def test_a_database_of_somebody_else_is_refused_and_left_as_it_is(path: Path, version: int) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE results (x)")
        db.execute(f"PRAGMA user_version={version}")
    before = path.read_bytes()
    with pytest.raises(FolderUnusable, match=r"somebody else's\. Name another file"):
        Warehouse(path)
    with (
        pytest.raises(FolderUnusable, match=r"somebody else's\. Name another file"),
        reading(f"sqlite:///{path}"),
    ):
        pass
    assert path.read_bytes() == before


def test_a_damaged_database_is_not_to_be_thrown_away(path: Path) -> None:
    path.write_bytes(b"no database at all" * 1000)
    with pytest.raises(FileDamaged, match=r"damaged: .* Keep it: devices have deleted what is in it"):
        Warehouse(path)


def test_a_database_of_a_newer_release_is_refused_with_what_reads_it(path: Path) -> None:
    Warehouse(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version=6")
    with pytest.raises(
        FolderUnusable, match=r"version 6, this release reads version 5\. Install the edgectl"
    ):
        Warehouse(path)


def test_two_collectors_may_share_one_file(warehouse: Warehouse, path: Path) -> None:
    with Warehouse(path) as other:
        warehouse.store([batch((1, 2))])
        assert other.store([batch((3, 4))])[0].watermark == Watermark(4, ())
        assert warehouse.store([batch((1, 1))])[0].watermark == Watermark(4, ())
